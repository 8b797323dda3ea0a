"""The HTML report: one page for people, without scripts."""
