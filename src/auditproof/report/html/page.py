"""All pages of a report by file name: what a run writes, and what ``auditproof report`` writes again. Pure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from auditproof.report.html.details import Details
from auditproof.report.html.evidence import evidence_index, evidence_page
from auditproof.report.html.file_names import EVIDENCE, TICKET, details_page_name, evidence_page_name
from auditproof.report.html.files import ReportFolder
from auditproof.report.html.ticket import ticket_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.report.model import Report


def report_pages(report: Report, *, ticket: str = TICKET, tests: bool = True) -> dict[str, Callable[[], str]]:
    """The pages by file name, each as a function that renders it; the ticket is last, because it links to the others.

    ``ticket`` is the ticket's file name, ``tests`` whether pytest-html's page is in the same folder.
    """
    folder = ReportFolder(report, ticket, tests)
    details = Details(folder)
    parts = {
        evidence_page_name(number): partial(evidence_page, folder, number) for number in range(1, len(folder.pages) + 1)
    }
    return {
        **parts,
        EVIDENCE: partial(evidence_index, folder),
        **{details_page_name(number): partial(details.page, number) for number in range(1, details.count + 1)},
        ticket: partial(ticket_page, folder, details),
    }


def report_page(report: Report) -> str:
    """The ticket alone."""
    return report_pages(report)[TICKET]()
