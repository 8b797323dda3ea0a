"""One file that was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from auditproof.analysis.lint.lint import Examination

if TYPE_CHECKING:
    from collections.abc import Container

    from auditproof.analysis.lint.catalogue import Severity
    from auditproof.audit.policy.place import Place
    from auditproof.errors import Position


@dataclass(frozen=True, slots=True)
class Linted:
    """What was found in the policy ``path``; ``refused`` by the API server, or ``unreadable`` for the reason given.

    ``place`` is where it was found, if not as a file of its own. ``file`` is the path of the file from the root of its
    repository, by which CI systems name it; empty if it is in none.
    """

    path: str
    examination: Examination = field(default_factory=lambda: Examination(()))
    refused: bool = False
    unreadable: str = ""
    place: Place | None = None
    file: str = ""

    def in_file(self, position: Position) -> tuple[Position, str]:
        """The place in the file for a finding, and where inside the text of the policy it is if that is not literal."""
        inside = ""
        if self.place is not None and not self.place.is_literal and position.path == self.place.name:
            inside = f"inside {self.place.name.removeprefix(f'{self.place.holder.path}#')}, line {position.line}: "
            position = self.place.holder
        return replace(position, path=self.file) if self.file else position, inside


def has_any(linted: Linted, severities: Container[str | Severity]) -> bool:
    """Whether there is a finding of one of these severities."""
    return any(finding.severity in severities for finding in linted.examination.findings)
