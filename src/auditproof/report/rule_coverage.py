"""What a run was to witness of the given policy: of every rule, from both sides, or why no request gets to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditproof.analysis.coverage import Coverage


@dataclass(frozen=True, slots=True)
class Shown:
    """A proof of a rule: a few words, its id, and its verdict (empty where it was not performed)."""

    text: str
    id: str
    verdict: str


@dataclass(frozen=True, slots=True)
class RuleWitnessed:
    """A row of the table of rules; ``number`` counts from 1, ``reason`` is why nothing was to be witnessed."""

    number: int
    line: int
    level: str
    witnesses: tuple[Shown, ...]
    near_misses: tuple[Shown, ...]
    reason: str

    @property
    def state(self) -> str:
        """In a word, as RuleShown.state."""
        verdicts = {shown.verdict for shown in self.witnesses + self.near_misses}
        if verdicts <= {""}:
            return "open"
        return "proven" if verdicts == {"PROVEN"} else "wrong"


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
    proofs = {proof["id"]: proof for proof in report["proofs"]}
    return [
        RuleWitnessed(
            rule["rule"] + 1,
            rule["line"],
            rule["level"],
            tuple(_shown(proof_id, proofs, _request) for proof_id in rule["witnesses"]),
            tuple(_shown(proof_id, proofs, _condition) for proof_id in rule["nearMisses"]),
            rule["reason"],
        )
        for rule in report.get("coverage", {"rules": ()})["rules"]
    ]


def _shown(proof_id: str, proofs: Mapping[str, Mapping[str, Any]], text: Callable[[str, str], str]) -> Shown:
    proof = proofs.get(proof_id)
    if proof is None:
        return Shown(text(proof_id, "not performed"), proof_id, "")
    return Shown(text(proof_id, str(proof["title"])), proof_id, str(proof["verdict"]))


def _request(_id: str, title: str) -> str:
    """What was asked: what is recorded of it stands beside it."""
    return title.rpartition(": ")[0] or title


def _condition(proof_id: str, _title: str) -> str:
    """The condition that a near miss misses, out of ``rule-07-users-near-miss-1``."""
    parts = proof_id.rpartition("::")[2].split("-")
    return parts[2] if len(parts) > 2 else proof_id


@dataclass(frozen=True, slots=True)
class RequirementShown:
    """A row of the table of requirements: its record, and what the run has shown of it."""

    record: Mapping[str, Any]
    verdict: str
    performed: int
    proven: int


def requirements_shown(report: Mapping[str, Any]) -> list[RequirementShown]:
    """The requirements, those that do not hold first."""
    verdicts = {proof["id"]: proof["verdict"] for proof in report["proofs"]}
    rows = [_requirement(record, verdicts) for record in report.get("requirements", ())]
    return sorted(rows, key=lambda row: ("VIOLATED", "UNPROVEN", "PROVEN").index(row.verdict))


def unmet_requirements(report: Mapping[str, Any]) -> list[str]:
    """The ids of requirements that the run was to show and that the policy violates, whoever could perform that.

    Where no client of this cluster can perform what violates one, no proof does: it must not pass for that.
    """
    planned = {proof["id"] for proof in report["proofs"]} | set(report["notPerformed"])
    records = report.get("requirements", ())
    return [record["id"] for record in records if record["violations"] and planned.intersection(record["proofs"])]


def _requirement(record: Mapping[str, Any], verdicts: Mapping[str, str]) -> RequirementShown:
    found = [verdicts[name] for name in record["proofs"] if name in verdicts]
    proven = found.count("PROVEN")
    if record["violations"] or "VIOLATED" in found:
        verdict = "VIOLATED"
    else:
        verdict = "PROVEN" if proven == len(record["proofs"]) > 0 else "UNPROVEN"
    return RequirementShown(record, verdict, len(found), proven)
