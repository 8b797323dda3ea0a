"""The reason why a part of a rule has no exact translation."""

from __future__ import annotations


class Unreadable(Exception):
    """Something in a rule that Falco refuses, or that the fields of an event alone do not decide; the reason as text.

    It never leaves the reader: the rule becomes a NotRead with this reason.
    """
