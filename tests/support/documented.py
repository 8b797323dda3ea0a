"""The examples of docs/lint.md: of each code a policy that has the finding, and one that has not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "docs" / "lint.md").read_text(encoding="utf-8")
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
_SECTION = re.compile(r"^### (AP\d{3}) (\S+) \((\w+)\)\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"^```yaml(?: kubernetes=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Documented:
    """A section: code, name, severity, the Kubernetes version, the example, and the one that is free of the finding."""

    code: str
    name: str
    severity: str
    kubernetes: str
    example: str
    instead: str

    @property
    def line(self) -> int:
        """The line that the arrow in the example marks."""
        return next(n for n, line in enumerate(self.example.splitlines(), start=1) if "<--" in line)


def _documented() -> tuple[Documented, ...]:
    """All sections, in the order of the document."""
    found = []
    for code, name, severity, text in _SECTION.findall(TEXT):
        (version, example), (_, instead) = _EXAMPLE.findall(text)
        found.append(Documented(code, name, severity, version or "1.37", HEAD + example, HEAD + instead))
    return tuple(found)


SECTIONS = _documented()
