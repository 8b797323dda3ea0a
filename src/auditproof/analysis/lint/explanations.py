"""The explanation of each code: its section of docs/lint.md, which is part of the installation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from auditproof import content

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = "lint.html"  # of the documentation site
_SECTION = re.compile(r"^### (AP\d{3}) (.+?)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"^```yaml.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What docs/lint.md says of one code: ``heading`` without its marks, ``body`` in Markdown without the heading."""

    code: str
    heading: str
    body: str

    @property
    def markdown(self) -> str:
        """The section as it is in the document."""
        return f"### {self.heading}\n\n{self.body}\n"

    @property
    def text(self) -> str:
        """The section for a terminal: examples are indented, under a line that says which is which."""
        titles = iter(("Example:", "Instead:"))

        def indented(example: re.Match[str]) -> str:
            lines = "".join(f"    {line}\n" for line in example[1].splitlines())
            return f"{next(titles, 'Example:')}\n\n{lines}".rstrip("\n")

        return f"{self.heading}\n\n{_EXAMPLE.sub(indented, self.body)}\n"

    @property
    def address(self) -> str:
        """Where the documentation site has the section."""
        anchor = re.sub(r"[^a-z0-9 -]", "", self.heading.lower()).replace(" ", "-")
        return f"{content.SITE}/{PAGE}#{anchor}"


@cache
def explanations() -> Mapping[str, Explanation]:
    """Every explanation by its code, in the order of the document."""
    text = (content.root() / "docs" / "lint.md").read_text(encoding="utf-8")
    return {code: Explanation(code, f"{code} {rest}", body.strip()) for code, rest, body in _SECTION.findall(text)}
