"""report.html, the ticket: the decision on one printed page, and how it was proven on a second. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.report.faithful import differing_text
from auditproof.report.headline import COUNTS, run_time
from auditproof.report.html.environment import render
from auditproof.report.html.first_page import first_page
from auditproof.report.html.head import head_of
from auditproof.report.html.second_page import second_page

if TYPE_CHECKING:
    from auditproof.report.html.details import Details
    from auditproof.report.html.files import ReportFolder

PAGE = 62.5  # printed lines of a page, of A4 or Letter


def ticket_page(folder: ReportFolder, details: Details) -> str:
    """The page for a change ticket, with links to the sections of ``details``."""
    report, head = folder.report, head_of(folder.report)
    return render(
        "ticket.html.j2",
        styles=("ticket.css",),
        report=report,
        **head.decision,
        head=head,
        run_time=run_time(report),
        first=first_page(report, PAGE - head.height),
        second=second_page(report, PAGE),
        counts=COUNTS,
        differing=differing_text(report),
        tests=folder.tests,
        link=folder.link,
        details=details,
    )
