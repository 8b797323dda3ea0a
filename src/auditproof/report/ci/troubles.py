"""What keeps a run from passing, each with its place: the one list that terminal, annotations and SARIF show. Pure.

These are forbidden changes, requirements that are not met or not shown, and actions that are VIOLATED or UNPROVEN.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from auditproof.proof.verdict import Outcome
from auditproof.report.backends import backend_troubles
from auditproof.report.detections.statement import BLINDED, blinded, blinded_reason, newly_lost
from auditproof.report.gate import deciding_line, forbidden_name, forbidden_reason
from auditproof.report.headline import RUN, only_the_run, why_not_performed, worst_first
from auditproof.report.policy_place import in_policy
from auditproof.report.requirement_states import State, blamed_places, requirement_reason, requirement_states
from auditproof.report.statements import decision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.report.model import ProofRecord, Report

FORBIDDEN = "FORBIDDEN"
FilesOf: TypeAlias = "Callable[[str], str]"  # a file's path from the repository's root; empty if it is not in there


@dataclass(frozen=True, slots=True)
class Trouble:
    """A forbidden change, a requirement or an action that keeps the run from passing; ``verdict`` says which.

    What the policy decides is at the line of its rule; what could not be shown is at the case, because it says nothing
    about the policy. ``others`` are further places that belong to it, nearest first.
    """

    id: str
    verdict: str
    path: str
    line: int
    title: str
    text: str
    others: tuple[tuple[str, int], ...] = ()

    @property
    def name(self) -> str:
        """The title with the id, which selects the case with -k."""
        return self.title if self.title == self.id else f"{self.title} ({self.id})"

    @property
    def fingerprint(self) -> str:
        """The same for the same action in every run."""
        return hashlib.sha256(f"{self.verdict} {self.id}".encode()).hexdigest()[:32]


def troubles(report: Report, files: FilesOf = str) -> list[Trouble]:
    """Everything that keeps the run from passing, worst first, and last what is wrong with the run itself.

    ``files`` says what a file is called; of the places of a problem, the first counts that has a name.
    """
    found = [*_forbidden(report), *_blinded(report), *_requirements(report, State.UNMET)]
    found += [
        _trouble(proof, report) for proof in worst_first(proof for proof in report.proofs if proof.verdict.is_trouble)
    ]
    reason = why_not_performed(report)
    found += [
        Trouble(name, Outcome.UNPROVEN, name.partition("::")[0], 1, name, reason, ((report.policy.path, 1),))
        for name in report.not_performed
    ]
    found += [
        Trouble(test.id, test.verdict, test.suite, test.line, test.title, test.reason)
        for test in backend_troubles(report)
    ]
    found += _requirements(report, State.NOT_SHOWN)
    if whole := only_the_run(report):
        found.append(Trouble(RUN, whole, report.policy.path, 1, "The run as a whole", decision(report).sentence))
    return [_named(trouble, files) for trouble in found]


def _forbidden(report: Report) -> Iterator[Trouble]:
    """The changes that are forbidden and that nobody has acknowledged, at the rule that decides now."""
    for one in report.gate.forbidden if report.gate else ():
        if not one.acknowledged:
            name = forbidden_name(one)
            yield Trouble(name, FORBIDDEN, *in_policy(report, deciding_line(one)), name, forbidden_reason(one))


def _blinded(report: Report) -> Iterator[Trouble]:
    """The detection rules that the change blinds, if that is forbidden, at the rule of the policy to blame."""
    if report.detections and report.detections.forbid_blind:
        for one in blinded(report):
            lost = newly_lost(one)
            place = in_policy(report, lost.line if lost and lost.line else 1)
            name, title = f"{one.pack}: {one.title}", f"Detection rule {one.title}"
            yield Trouble(name, BLINDED, *place, title, blinded_reason(one), ((one.file, one.line),))


def _requirements(report: Report, state: State) -> Iterator[Trouble]:
    """The requirements in this state that keep the run from passing, at the rule to blame."""
    for one in requirement_states(report):
        if one.fails and one.state is state:
            record = one.record
            stated = (record.file, record.line)
            places = [*blamed_places(record, report), stated, in_policy(report, 1)]
            (path, line), *others = places
            yield Trouble(
                record.id, one.state, path, line, record.title, requirement_reason(one, report), tuple(others)
            )


def _trouble(proof: ProofRecord, report: Report) -> Trouble:
    line, case = proof.expected.line, (proof.suite, max(1, proof.line))
    own = proof.policy.sha256 == report.policy.sha256
    decided = in_policy(report, line) if own and line else None
    places = [place for place in (decided, case, in_policy(report, 1)) if place]
    if proof.verdict is Outcome.UNPROVEN and proof.suite:
        places = [case, *(place for place in places if place != case)]
    (path, at), *others = places
    title = f"{proof.title} (Kubernetes {proof.kubernetes})" if proof.kubernetes else proof.title
    return Trouble(proof.id, proof.verdict, path, max(1, at), title, "\n".join(proof.reasons), tuple(others))


def _named(trouble: Trouble, files: FilesOf) -> Trouble:
    for path, line in ((trouble.path, trouble.line), *trouble.others):
        if name := files(path):
            return replace(trouble, path=name, line=line)
    return trouble
