"""An extension of griffe, which reads docstrings for the documentation site: examples become blocks of code.

In docstrings examples are doctests, without a mark around them; Markdown would take ``>>>`` for quotations.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from griffe import Extension

if TYPE_CHECKING:
    from griffe import Object

_DOCTEST = re.compile(r"^>>> .*\n?(?:^(?!\s*$).*\n?)*", re.MULTILINE)
_LITERAL = re.compile(r"::\n\n((?: {4}.*\n?|\n)+)")


class Doctests(Extension):
    """Fences doctests and the literal blocks of reStructuredText."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring."""
        if obj.docstring:
            obj.docstring.value = in_markdown(obj.docstring.value)


def in_markdown(docstring: str) -> str:
    """The docstring with each example in a fence."""
    text = _LITERAL.sub(lambda block: f"\n\n```text\n{textwrap.dedent(block[1]).strip()}\n```\n\n", docstring)
    return _DOCTEST.sub(lambda example: f"```pycon\n{example[0].rstrip()}\n```\n", text)
