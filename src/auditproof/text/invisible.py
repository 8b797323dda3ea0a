"""Characters that look like a space, or like nothing, and are something else to YAML and Kubernetes. Pure."""

from __future__ import annotations

import re
import unicodedata

# Unicode's spaces other than U+0020, and what has no width (general categories Zs and Cf).
_INVISIBLE = re.compile("[\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028\u2029\u202f\u205f-\u2064\u3000\ufeff]")


def invisible_in(text: str) -> tuple[int, str] | None:
    """The first such character of a text: its column (from 1) and what it is called; None where there is none."""
    found = _INVISIBLE.search(text)
    return (found.start() + 1, called(found[0])) if found else None


def called(letter: str) -> str:
    """A character by its name: ``a no-break space (U+00A0)``."""
    name = "tab" if letter == "\t" else unicodedata.name(letter, "character").lower()
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name} (U+{ord(letter):04X})"
