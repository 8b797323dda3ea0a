"""What keeps a run from passing, each with its place: the one list that terminal, annotations and SARIF show. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.proof.verdict import Outcome
from auditproof.report.backends import backend_troubles
from auditproof.report.headline import why_not_performed, worst_first

if TYPE_CHECKING:
    from auditproof.report.model import ProofRecord, Report


@dataclass(frozen=True, slots=True)
class Trouble:
    """An action that is not proven, at the line of the policy that decides about it, or else of its case."""

    id: str
    verdict: Outcome
    path: str
    line: int
    title: str
    text: str

    @property
    def fingerprint(self) -> str:
        """The same for the same action in every run."""
        return hashlib.sha256(f"{self.verdict} {self.id}".encode()).hexdigest()[:32]


def troubles(report: Report) -> list[Trouble]:
    """Everything VIOLATED or UNPROVEN, worst first; then the tests of backends."""
    found = [_trouble(proof, report) for proof in worst_first(report.proofs) if proof.verdict.is_trouble]
    reason = why_not_performed(report)
    found += [Trouble(name, Outcome.UNPROVEN, report.policy.path, 1, name, reason) for name in report.not_performed]
    return found + [
        Trouble(test.id, test.verdict, test.suite, test.line, test.title, test.reason)
        for test in backend_troubles(report)
    ]


def _trouble(proof: ProofRecord, report: Report) -> Trouble:
    line = proof.expected.line
    own = proof.policy.sha256 == report.policy.sha256
    path, line = _in_policy(report, line) if own and line else (proof.suite, proof.line)
    return Trouble(proof.id, proof.verdict, path, max(1, line), proof.title, "\n".join(proof.reasons))


def _in_policy(report: Report, line: int) -> tuple[str, int]:
    """The file and line of a rule; of a policy that its file does not hold literally, the file alone."""
    policy = report.policy
    if not policy.file:
        return policy.path, line
    return policy.file, line if policy.first_line else 1
