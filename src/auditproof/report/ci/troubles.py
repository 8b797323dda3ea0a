"""What keeps a run from passing, each with its place: the one list that terminal, annotations and SARIF show. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from auditproof.proof.verdict import Outcome
from auditproof.report.backends import backend_troubles
from auditproof.report.headline import RUN, only_the_run, verdict_sentence, why_not_performed, worst_first

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.report.model import ProofRecord, Report

FilesOf: TypeAlias = "Callable[[str], str]"  # a file's path from the repository's root; empty if it is not in there


@dataclass(frozen=True, slots=True)
class Trouble:
    """An action that is not proven.

    A violation is at the line of the policy that decides; what could not be shown is at the case, because it says
    nothing about the policy. ``others`` are further places that belong to it, nearest first.
    """

    id: str
    verdict: Outcome
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
    """Everything VIOLATED or UNPROVEN, worst first; then the tests of backends, and what is wrong with the run itself.

    ``files`` says what a file is called; of the places of a problem, the first counts that has a name.
    """
    found = [_trouble(proof, report) for proof in worst_first(report.proofs) if proof.verdict.is_trouble]
    reason = why_not_performed(report)
    found += [
        Trouble(name, Outcome.UNPROVEN, name.partition("::")[0], 1, name, reason, ((report.policy.path, 1),))
        for name in report.not_performed
    ]
    found += [
        Trouble(test.id, test.verdict, test.suite, test.line, test.title, test.reason)
        for test in backend_troubles(report)
    ]
    if whole := only_the_run(report):
        found.append(Trouble(RUN, whole, report.policy.path, 1, "The run as a whole", verdict_sentence(report)))
    return [_named(trouble, files) for trouble in found]


def _trouble(proof: ProofRecord, report: Report) -> Trouble:
    line, case = proof.expected.line, (proof.suite, max(1, proof.line))
    own = proof.policy.sha256 == report.policy.sha256
    decided = _in_policy(report, line) if own and line else None
    places = [place for place in (decided, case, _in_policy(report, 1)) if place]
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


def _in_policy(report: Report, line: int) -> tuple[str, int]:
    """The file and line of a rule; of a policy that its file does not hold literally, the file alone."""
    policy = report.policy
    if not policy.file:
        return policy.path, line
    return policy.file, line if policy.first_line else 1
