"""The files of a report by name, and which page has the evidence of a proof. Pure.

report.html is the ticket: two printed pages. Everything else is in files next to it, which it links to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from auditproof.report.proof_record import anchor
from auditproof.report.statements import decision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.report.model import Decision, ProofRecord, Report

TICKET = "report.html"
DETAILS = "details.html"
EVIDENCE = "evidence.html"  # every action in a line, each with a link to its page
TESTS = "tests.html"  # pytest-html's page
EVIDENCE_TITLE = "<title>auditproof: "  # by which a numbered page of any run is known
PER_PAGE = 90  # proofs: under 300 kB, and under 3,000 elements
_PAGE = re.compile(r"(evidence|details)-[1-9]\d*\.html")


def is_evidence_page(name: str) -> bool:
    """Whether a file of this name is a page with evidence or further details, of a run of any size."""
    return _PAGE.fullmatch(name) is not None


def evidence_page_name(number: int) -> str:
    """The file with the evidence of a part of the proofs; parts are counted from 1."""
    return f"evidence-{number}.html"


def details_page_name(number: int) -> str:
    """The file with a part of the details; parts are counted from 1.

    >>> details_page_name(1), details_page_name(2)
    ('details.html', 'details-2.html')
    """
    return DETAILS if number == 1 else f"details-{number}.html"


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
