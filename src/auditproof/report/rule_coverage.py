"""What a run was to witness of the given policy: of every rule, from both sides, or why no request gets to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.proof.verdict import Outcome
from auditproof.report.model import CoverageRecord, RuleCoverage, Unperformed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditproof.analysis.coverage import Coverage
    from auditproof.audit.event import Level
    from auditproof.report.model import ProofRecord, Report


@dataclass(frozen=True, slots=True)
class ShownProof:
    """A proof of a rule: a few words, its id, and its verdict (None where it was not reached)."""

    text: str
    id: str
    verdict: Outcome | None


@dataclass(frozen=True, slots=True)
class RuleWitnessed:
    """A row of the table of rules; ``number`` counts from 1, ``reason`` is why nothing was to be witnessed."""

    number: int
    line: int
    level: Level
    witnesses: tuple[ShownProof, ...]
    near_misses: tuple[ShownProof, ...]
    reason: str

    @property
    def state(self) -> str:
        """In a word, as RuleShown.state."""
        verdicts = {shown.verdict for shown in self.witnesses + self.near_misses}
        if verdicts <= {None}:
            return "open"
        return "proven" if verdicts == {Outcome.PROVEN} else "wrong"


def coverage_record(coverage: Coverage, suite: str) -> CoverageRecord:
    """The section ``coverage``; ``suite`` is what the ids of its proofs begin with."""
    return CoverageRecord(
        depth=coverage.depth,
        rules=tuple(
            RuleCoverage(
                rule=covered.rule.index,
                line=covered.rule.position.line,
                level=covered.rule.level,
                witnesses=tuple(f"{suite}::{name}" for name in covered.witnesses),
                near_misses=tuple(f"{suite}::{name}" for name in covered.near_misses),
                reason=covered.reason,
            )
            for covered in coverage.rules
        ),
        unperformed=tuple(Unperformed(what=one.text, reason=one.reason) for one in coverage.unperformed),
    )


def rules_witnessed(report: Report) -> list[RuleWitnessed]:
    """The rows of the table of rules; empty where no witness was planned."""
    proofs = {proof.id: proof for proof in report.proofs}
    return [
        RuleWitnessed(
            rule.rule + 1,
            rule.line,
            rule.level,
            tuple(_shown(proof_id, proofs, _request) for proof_id in rule.witnesses),
            tuple(_shown(proof_id, proofs, _condition) for proof_id in rule.near_misses),
            rule.reason,
        )
        for rule in (report.coverage.rules if report.coverage else ())
    ]


def _shown(proof_id: str, proofs: Mapping[str, ProofRecord], text: Callable[[str, str], str]) -> ShownProof:
    proof = proofs.get(proof_id)
    if proof is None:
        return ShownProof(text(proof_id, "not performed"), proof_id, None)
    return ShownProof(text(proof_id, proof.title), proof_id, proof.verdict)


def _request(_id: str, title: str) -> str:
    """The request, as text; its events are listed next to it."""
    return title.rpartition(": ")[0] or title


def _condition(proof_id: str, _title: str) -> str:
    """The condition that a near miss misses, out of ``rule-07-users-near-miss-1``."""
    parts = proof_id.rpartition("::")[2].split("-")
    return parts[2] if len(parts) > 2 else proof_id
