"""The forms in which findings are written: for people, for programs, for code scanning and for GitHub. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.lint.formats.github import as_github
from auditproof.lint.formats.json import as_json
from auditproof.lint.formats.linted import Linted, has_failed
from auditproof.lint.formats.sarif import as_sarif
from auditproof.lint.formats.text import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Each takes what was found in every file and the Kubernetes version, and answers a text without a newline at its end.
FORMATS: dict[str, Callable[[Sequence[Linted], str], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}

__all__ = ["FORMATS", "Linted", "has_failed"]
