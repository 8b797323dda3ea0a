"""Where engine and content meet."""
