"""evidence.html, every action of a run in a line, and the pages with its events: what anyone can check. Pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from auditproof.report.headline import why_not_performed
from auditproof.report.html.environment import render
from auditproof.report.html.heading import heading

if TYPE_CHECKING:
    from auditproof.report.html.files import ReportFolder

SCRIPT = "search.js"


def evidence_index(folder: ReportFolder) -> str:
    """The page with every action of the run, each with a link to its events."""
    report = folder.report
    # They are in the order of the pages.
    proofs = (proof for page in folder.pages for proof in page)
    grouped = ((suite, list(group)) for suite, group in groupby(proofs, key=lambda proof: proof.suite))
    return render(
        "evidence.html.j2",
        script=SCRIPT,
        report=report,
        **heading(folder.decided),
        suites=[(suite, group[0].policy.path, group) for suite, group in grouped],
        why_not_performed=why_not_performed(report),
        link=folder.link,
        ticket_file=folder.ticket,
    )


def evidence_page(folder: ReportFolder, number: int) -> str:
    """The page ``number`` (from 1) of the evidence: the requests, decisions and events of its proofs."""
    report, proofs = folder.report, folder.pages[number - 1]
    fences = sorted({proof.fence for proof in proofs} - {""})
    return render(
        "evidence_page.html.j2",
        script=SCRIPT,
        report=report,
        **heading(folder.decided),
        number=number,
        count=len(folder.pages),
        ticket_file=folder.ticket,
        proofs=proofs,
        fences={fence: place for place, fence in enumerate(fences, 1)},
    )
