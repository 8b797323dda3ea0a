"""What a run was to witness of the given policy: of every rule, from both sides, or why no request gets to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditproof.coverage import Coverage


@dataclass(frozen=True, slots=True)
class Count:
    """How many of some proofs were planned, and how many are proven."""

    planned: int
    proven: int

    @property
    def text(self) -> str:
        """In words; empty where nothing was planned."""
        if not self.planned:
            return ""
        return f"{self.proven} proven" if self.proven == self.planned else f"{self.proven} of {self.planned} proven"


@dataclass(frozen=True, slots=True)
class RuleWitnessed:
    """A row of the table of rules; ``number`` counts from 1, ``reason`` is why nothing was to be witnessed."""

    number: int
    line: int
    level: str
    witnesses: Count
    near_misses: Count
    reason: str

    @property
    def state(self) -> str:
        """In a word, as RuleShown.state."""
        planned = self.witnesses.planned + self.near_misses.planned
        proven = self.witnesses.proven + self.near_misses.proven
        return "open" if not planned else "proven" if planned == proven else "wrong"


def coverage_record(coverage: Coverage, suite: str) -> dict[str, Any]:
    """The coverage as plain data; ``suite`` is what the ids of its proofs begin with."""
    return {
        "depth": str(coverage.depth),
        "rules": [
            {
                "rule": covered.rule.index,
                "line": covered.rule.position.line,
                "level": str(covered.rule.level),
                "witnesses": [f"{suite}::{name}" for name in covered.witnesses],
                "nearMisses": [f"{suite}::{name}" for name in covered.near_misses],
                "reason": covered.reason,
            }
            for covered in coverage.rules
        ],
        "unperformed": [{"what": one.text, "reason": one.reason} for one in coverage.unperformed],
    }


def rules_witnessed(report: Mapping[str, Any]) -> list[RuleWitnessed]:
    """The rows of the table of rules; empty where the run was to witness nothing."""
    proven = {proof["id"] for proof in report["proofs"] if proof["verdict"] == "PROVEN"}
    return [
        RuleWitnessed(
            rule["rule"] + 1,
            rule["line"],
            rule["level"],
            _count(rule["witnesses"], proven),
            _count(rule["nearMisses"], proven),
            rule["reason"],
        )
        for rule in report.get("coverage", {"rules": ()})["rules"]
    ]


def _count(ids: Sequence[str], proven: set[str]) -> Count:
    return Count(len(ids), sum(1 for proof_id in ids if proof_id in proven))
