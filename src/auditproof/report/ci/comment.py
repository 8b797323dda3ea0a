"""The one comment on a pull or merge request that shows the latest run, in Markdown. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from auditproof.report.ci.github import step_summary

if TYPE_CHECKING:
    from auditproof.report.ci.troubles import FilesOf
    from auditproof.report.model import Report

LONGEST = 60_000  # characters: GitHub takes 65,536
CUT = "\n… the rest is in the report.\n"


def marker(report: Report) -> str:
    """The beginning of the comment, which no reader sees; the same for each run of the same policy."""
    return f"<!-- auditproof {hashlib.sha256(report.policy.path.encode()).hexdigest()[:16]} -->"


def comment(report: Report, files: FilesOf, link: str = "") -> str:
    """The comment's text; ``files`` says what a file is called, ``link`` is a URL of the report, or "".

    Raises ValueError if ``link`` is no plain http or https URL.
    """
    if link and (not link.startswith(("https://", "http://")) or set(link) & set(' ()<>[]\\"`\n')):
        raise ValueError(f"{link!r} is no plain URL")
    place = f"\n[The whole report]({link})\n" if link else ""
    room = LONGEST - len(place) - len(CUT)
    text = f"{marker(report)}\n{step_summary(report, files)}"
    if len(text) > room:
        text = text[: text.rfind("\n", 0, room)] + CUT
    return text + place
