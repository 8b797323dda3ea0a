"""Judges a recorded log for ``run --no-actions``: SQL counts what is recorded as decided, Python judges the rest.

Nothing here decides a verdict: a line is counted only if ``proof.offline`` would have found nothing wrong with it, and
with any other line of its request. Whatever is odd or differs is left to it.
"""
