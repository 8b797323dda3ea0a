"""Output: text escaped for terminals, Markdown and CI systems, and written to standard output."""
