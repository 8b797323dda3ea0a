"""Audit policies inside other documents: where they are, their text, and which lines of the file these are. Pure."""
