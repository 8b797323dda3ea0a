"""What a misspelt word may have meant: the most similar of the known ones."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 100  # letters of a word that are compared: the effort grows with the square of the length
CLOSE = 0.6  # the least similarity, between 0 and 1; difflib's own


def closest(text: str, known: Iterable[str], *, cutoff: float = CLOSE, ignore_case: bool = False) -> str | None:
    """Return the most similar of the ``known`` words, None where none is similar enough."""
    words = {name.lower() if ignore_case else name: name for name in known}
    found = difflib.get_close_matches((text.lower() if ignore_case else text)[:LONGEST], words, n=1, cutoff=cutoff)
    return words[found[0]] if found else None


def did_you_mean(text: str, known: Iterable[str], quote: str = '"') -> str:
    """Return the end of an error message, ``; did you mean "pods"?``; an empty text where no known word is similar."""
    guess = closest(text, known)
    return f"; did you mean {quote}{guess}{quote}?" if guess is not None else ""
