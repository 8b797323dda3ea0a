"""One request, sent once, and its response."""
