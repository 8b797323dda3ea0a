"""Cases generated from policies and requirements, and the results of checking requirements against the policy.

The given policy gets the witnesses of its own rules and the requests that it records differently from the base. The
base gets the latter, too, judged by its own rules. A requirements file gets one request per class that it covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.analysis.gate import shown_by
from auditproof.analysis.requirements import State, required_steps, standing_data
from auditproof.analysis.space.client_request import asked_text
from auditproof.cases.case import Case, Source
from auditproof.cases.expectation import Expectation
from auditproof.errors import Position
from auditproof.text.paths import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from auditproof.analysis.coverage import Coverage
    from auditproof.analysis.diff import PolicyDiff
    from auditproof.analysis.gate import GateResult
    from auditproof.analysis.requirements import Requirement, Standing, Status
    from auditproof.analysis.space.client_request import Performable
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.discovery import Served


NEW, OLD = 1, 0  # index in a pair of deciding rules
COMPARED = (State.NEW, State.KNOWN, State.FIXED)  # the state of a requirement compared with the base, or with entries
AS_DECIDED = Expectation()  # the policy's own decision must be recorded


def case_of(name: str, sent: Performable, *, title: str, position: Position, because: str = "") -> Case:
    """The case with the id ``name`` that performs ``sent``; ``position`` is the rule or requirement that it shows."""
    return Case(
        name,
        sent.identity,
        sent.request,
        AS_DECIDED,
        title=title,
        because=because,
        needs=sent.identity.needs,
        given=({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": sent.in_namespace}},)
        if sent.in_namespace
        else (),
        source=Source(position, made=True),
    )


def change_id(number: int) -> str:
    """The id of the case for a difference, the same for both policies; differences are counted from 1."""
    return f"change-{number:02}"


def witnesses(policy: Policy, coverage: Coverage) -> Iterator[Case]:
    """A case for each witness of the policy's own rules."""
    for planned in coverage.planned:
        yield case_of(planned.id, planned.performable, title=planned.title, position=_position(policy, planned.rule))


def changes(diff: PolicyDiff, policy: Policy, side: int) -> Iterator[Case]:
    """A case for each difference whose witness can be performed; ``policy`` is the one on ``side``, OLD or NEW."""
    for number, difference in enumerate(diff.differences, 1):
        sent = difference.witness.performable
        if sent is not None:
            title = f"{difference.change.kind}: {difference.change.text}: {sent}"
            yield case_of(change_id(number), sent, title=title, position=_position(policy, difference.rules[0][side]))


def forbidden_id(number: int) -> str:
    """The id of the case for a forbidden change that no difference's case shows; they are counted from 1."""
    return f"forbidden-{number:02}"


def forbidden_changes(gate: GateResult, diff: PolicyDiff, policy: Policy, side: int) -> Iterator[Case]:
    """A case for each forbidden change of which no difference's witness is a request, if one can be sent."""
    for number, one in enumerate(gate.forbidden, 1):
        sent = one.witness.performable
        if sent is not None and shown_by(one, diff) is None:
            title = f"{', '.join(one.consequences)}: {one.change.text}: {sent}"
            yield case_of(forbidden_id(number), sent, title=title, position=_position(policy, one.rules[0][side]))


def _position(policy: Policy, rule: PolicyRule | None) -> Position:
    return rule.position if rule else Position(policy.path, 1, 1)


@dataclass(frozen=True, slots=True)
class Required:
    """A requirements file with its results; ``suite`` is the prefix of its items' ids."""

    suite: str
    path: Path
    standings: tuple[Standing, ...]
    performed: tuple[tuple[Requirement, Performable], ...]

    def cases(self) -> Iterator[Case]:
        """A case for every class that a requirement covers: the server must record it as the policy decides.

        Whether that is as required is computed; a server that follows its policy is not at fault for it.
        """
        for name, (requirement, sent) in zip(self._names(), self.performed, strict=True):
            yield case_of(
                name,
                sent,
                title=f"{requirement.title}: {asked_text(sent.attributes)}",
                position=requirement.position,
                because=f"{requirement.because} ({requirement.source})",
            )

    def _names(self) -> Iterator[str]:
        """The requirements' ids, each counted from 1."""
        counted: dict[str, int] = {}
        for requirement, _ in self.performed:
            counted[requirement.id] = counted.get(requirement.id, 0) + 1
            yield f"{requirement.id}-{counted[requirement.id]:03}"

    def records(self) -> Iterator[dict[str, Any]]:
        """The requirements as results.json has them, with the ids of their proofs."""
        names = list(zip(self._names(), self.performed, strict=True))
        for standing in self.standings:
            asked = standing.checked.requirement
            mine = [f"{self.suite}::{name}" for name, (requirement, _) in names if requirement is asked]
            status = str(standing.state) if standing.state in COMPARED else ""
            yield {"file": self.suite, **standing_data(standing), "proofs": mine, "status": status}


def required(status: Status, policy: Policy, folders: tuple[Path, ...], served: Served) -> tuple[Required, ...]:
    """The requirements files of ``status``, with a request of each class that a requirement is about."""
    files = dict.fromkeys(standing.file.path for standing in status.standings)
    return tuple(
        _required(path, [one for one in status.standings if one.file.path == path], policy, folders, served)
        for path in files
    )


def _required(
    path: Path, standings: Sequence[Standing], policy: Policy, folders: tuple[Path, ...], served: Served
) -> Required:
    performed = (
        (requirement, step.performable)
        for requirement in (one.checked.requirement for one in standings)
        for step in required_steps(policy, requirement, served)
    )
    suite = shown_path(path.resolve(), folders)
    return Required(suite, path.resolve(), tuple(standings), tuple(performed))
