"""A report in its folder, and which page has the evidence of a proof. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from auditproof.report.html.file_names import TICKET, evidence_page_name
from auditproof.report.proof_record import anchor
from auditproof.report.statements import decision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.report.model import Decision, ProofRecord, Report

PER_PAGE = 90  # proofs: under 300 kB, and under 3,000 elements


@dataclass(frozen=True)
class ReportFolder:
    """A report in its folder: the name of the ticket, whether pytest-html's page is there, and where evidence is."""

    report: Report
    ticket: str = TICKET
    tests: bool = True

    @cached_property
    def decided(self) -> Decision:
        """The decision about the run, which every page repeats: it takes a look at every proof."""
        return decision(self.report)

    @cached_property
    def pages(self) -> tuple[tuple[ProofRecord, ...], ...]:
        """The proofs of each page: those judged by the given policy first, each file's in its order."""
        digest = self.report.policy.sha256
        ordered = sorted(
            self.report.proofs,
            key=lambda proof: (proof.policy.sha256 != digest, proof.suite, proof.line, proof.id),
        )
        return tuple(_parts(ordered))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {proof.id: number for number, page in enumerate(self.pages, 1) for proof in page}

    def link(self, proof_id: str) -> str:
        """The address of a proof's evidence, relative to the folder; empty if the report has no such proof."""
        number = self._numbers.get(proof_id)
        return f"{evidence_page_name(number)}#{anchor(proof_id)}" if number else ""


def _parts(proofs: list[ProofRecord]) -> Iterable[tuple[ProofRecord, ...]]:
    for first in range(0, len(proofs), PER_PAGE):
        yield tuple(proofs[first : first + PER_PAGE])
