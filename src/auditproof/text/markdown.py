"""Text of others in Markdown: it is shown as it is, and becomes no markup, no link, no picture and no new line. Pure.

Every character that means something is written as a character reference, which no Markdown takes for structure.
Sources: GitHub Flavored Markdown, sections 2.4, 6.2 and 6.9 (tables, extended autolinks); GitHub's mathematics (``$``)
and mentions (``@``).
"""

from __future__ import annotations

import re

from auditproof.text.printable import printable, printable_lines

_MEANS = re.compile(r"[\\`*_\[\]<>|~&$@]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def markdown(text: str) -> str:
    """``text`` for a paragraph or a cell of a table; its lines stay apart."""
    return "<br>".join(_MEANS.sub(_reference, line) for line in printable_lines(text).split("\n"))


def markdown_code(text: str) -> str:
    """``text`` as code, in one line; in a table, too."""
    shown = printable(text).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}" if "`" in shown else f"`{shown}`"


def _reference(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


def row(cells: list[str]) -> str:
    """A row of a table."""
    return "| " + " | ".join(map(markdown, cells)) + " |"
