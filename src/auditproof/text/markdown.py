"""Untrusted text in Markdown: shown literally, never as markup, link, image or line break. Pure.

Every special character is written as a character reference, which Markdown never treats as structure.
Sources: GitHub Flavored Markdown, sections 2.4, 6.2 and 6.9 (tables, extended autolinks); GitHub's mathematics (``$``)
and mentions (``@``).
"""

from __future__ import annotations

import re

from auditproof.text.printable import printable, printable_lines

_MEANS = re.compile(r"[\\`*_\[\]<>|~&$@]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def markdown(text: str) -> str:
    """Return ``text`` for a paragraph or a table cell; line breaks are kept as ``<br>``."""
    lines = printable_lines(text).split("\n")
    return "<br>".join(_MEANS.sub(lambda found: f"&#{ord(found[0])};", line) for line in lines)


def markdown_code(text: str) -> str:
    """Return ``text`` as inline code on one line; also valid in a table cell."""
    shown = printable(text).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}" if "`" in shown else f"`{shown}`"


def table(header: list[str], rows: list[list[str]], align: str = "---") -> list[str]:
    """The lines of a table of texts; ``align`` is the second line's cell, ``---:`` for numbers."""
    return written_table([*map(markdown, header)], [[*map(markdown, cells)] for cells in rows], align)


def written_table(header: list[str], rows: list[list[str]], align: str = "---") -> list[str]:
    """As table, of cells that are Markdown already, such as those by ``markdown_code``."""
    return [f"| {' | '.join(cells)} |" for cells in (header, [align] * len(header), *rows)]
