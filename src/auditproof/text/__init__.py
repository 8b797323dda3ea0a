"""Text that leaves the program: escaped for terminals, Markdown and CI systems, and written to standard output."""
