"""Reads a file of acknowledged changes, reporting every problem with line and column."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from auditproof.analysis.gate.acknowledged import Acknowledgement
from auditproof.analysis.gate.consequence import GROUPS
from auditproof.analysis.gate.schema import AcknowledgedChangesModel
from auditproof.analysis.requirements.baseline import KnownUnmet
from auditproof.analysis.requirements.selectors import SelectorReader
from auditproof.errors import SourceError
from auditproof.kube.yaml.strict_model import read_model
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.analysis.gate.schema import AcknowledgementModel, KnownUnmetModel
    from auditproof.analysis.requirements.selectors import Where

FILE = "audit-changes.yaml"  # next to the policy
TO_FILL_IN = "TODO"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A file of acknowledged changes: the ``changes``, and the ``requirements`` that are accepted as unmet."""

    changes: tuple[Acknowledgement, ...] = ()
    requirements: tuple[KnownUnmet, ...] = ()


def load_acknowledged(path: Path) -> Acknowledged:
    """Read a file of acknowledged changes.

    Raises SourceError with every problem: an unknown key, selector or effect, a date that is none, an entry that was
    not filled in, two entries for the same requests and effect, or for the same requirement.
    """
    model, root = read_model(path, AcknowledgedChangesModel)
    reader = _Reader(root)
    changes = tuple(reader.change(("changes", number), one) for number, one in enumerate(model.changes))
    unmet = tuple(reader.known_unmet(("requirements", number), one) for number, one in enumerate(model.requirements))
    if reader.problems:
        raise SourceError(sorted(reader.problems, key=lambda problem: problem.position))
    return Acknowledged(changes, unmet)


@dataclass(slots=True)
class _Reader(SelectorReader):
    """Reads the entries of one file; collects problems and continues."""

    known: dict[str, Where] = field(default_factory=dict)  # the first entry about each thing

    def change(self, where: Where, one: AcknowledgementModel) -> Acknowledgement:
        for n, selector in enumerate(one.requests):
            if selector.failed_logins:
                message = "an acknowledgement covers failed logins too, unless it names users or groups: remove this"
                self.wrong((*where, "requests", n, "failedLogins"), message)
        for n, word in enumerate(one.effects):
            if word not in GROUPS:
                message = f'unknown effect "{word}"{did_you_mean(word, GROUPS)} (one of {", ".join(GROUPS)})'
                self.wrong((*where, "effects", n), message)
        effects = frozenset(effect for word in one.effects for effect in GROUPS.get(word, ()))
        requests = one.model_dump_json(include={"requests"})
        for effect in sorted(effects):
            if (line := self._first(where, f"{effect} {requests}")) is not None:
                message = f"{effect} of these requests is acknowledged already, in line {line}"
                self.wrong((*where, "requests"), message)
        return Acknowledgement(
            requests=self.selectors((*where, "requests"), one.requests),
            effects=effects,
            because=self._reason(where, one),
            approved_by=one.approved_by,
            ticket=one.ticket,
            until=self._until(where, one),
            position=self.root.at(where).position,
        )

    def known_unmet(self, where: Where, one: KnownUnmetModel) -> KnownUnmet:
        if (line := self._first(where, one.requirement)) is not None:
            self.wrong((*where, "requirement"), f"this requirement is acknowledged already, in line {line}")
        return KnownUnmet(
            requirement=one.requirement,
            because=self._reason(where, one),
            approved_by=one.approved_by,
            ticket=one.ticket,
            until=self._until(where, one),
            position=self.root.at((*where, "requirement")).position,
        )

    def _first(self, where: Where, what: str) -> int | None:
        """The line of an earlier entry about the same; None if this is the first one."""
        first = self.known.setdefault(what, where)
        return None if first == where else self.root.at(first).position.line

    def _reason(self, where: Where, one: AcknowledgementModel | KnownUnmetModel) -> str:
        """Why it is acknowledged; notes who or why that is still to be filled in."""
        for key, text in (("because", one.because), ("approvedBy", one.approved_by)):
            if text.strip().startswith(TO_FILL_IN):
                self.wrong((*where, key), f"{key} is still to be filled in: say {'why' if key == 'because' else 'who'}")
        return " ".join(one.because.split())

    def _until(self, where: Where, one: AcknowledgementModel | KnownUnmetModel) -> date | None:
        if one.until is None:
            return None
        try:
            return date.fromisoformat(one.until)
        except ValueError:
            self.wrong((*where, "until"), f"{one.until} is no date; expected one such as 2027-01-31")
            return None
