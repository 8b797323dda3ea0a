"""details.html, and as many further pages as it needs: the whole analysis behind the ticket, as tables. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from auditproof.detections import Feed
from auditproof.proof.verdict import Outcome
from auditproof.report.background import daily, noise_sentence
from auditproof.report.change import change_rows, change_sentence
from auditproof.report.detections.fired import fired_text
from auditproof.report.entries import entry_remarks, entry_text
from auditproof.report.faithful import differing_text
from auditproof.report.gate import forbidden_name, forbidden_reason
from auditproof.report.headline import COUNTS, run_time, why_not_performed, worst_first
from auditproof.report.html.environment import render, render_part
from auditproof.report.html.file_names import DETAILS, details_page_name
from auditproof.report.html.heading import STATE_COLOURS, heading
from auditproof.report.html.paging import Room, paged, room_of
from auditproof.report.log_lines import log_lines
from auditproof.report.matrix import SIGNS, matrices
from auditproof.report.policy_lines import policy_lines
from auditproof.report.reconciliation import counting_lines
from auditproof.report.requirement_states import remedy, requirement_states, violated_text
from auditproof.report.rule_coverage import rules_witnessed

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.report.html.files import ReportFolder
    from auditproof.report.model import ProofRecord, Report

Problem = tuple[Outcome, tuple[str, ...], list["ProofRecord"]]
SENTENCE = 200  # characters of the decision on further pages
PAGE = Room(nodes=2900, size=290_000)  # a browser shows that at once
FEED_COLOURS = {Feed.FED: Outcome.PROVEN, Feed.PARTLY: Outcome.UNPROVEN, Feed.BLIND: Outcome.VIOLATED}
_HEADINGS = {
    "problems": "Problems",
    "gate": "Forbidden changes, and who acknowledged them",
    "change": "What this change does",
    "requirements": "Requirements",
    "detections": "Detection rules that read this log",
    "versions": "Kubernetes versions",
    "warnings": "What the API server ignores in this policy",
    "rules": "Rules: matching and near-miss requests",
    "policy": "The policy, with the results of its rules",
    "noise": "Background volume",
    "lint": "Lint findings",
    "backends": "Audit backends: what arrives",
    "matrix": "Coverage matrix: who did what, recorded at which level",
    "claims": "Documentation claims checked",
}


class Details:
    """The pages with everything that was found out about the policy; ``count`` is their number."""

    def __init__(self, folder: ReportFolder) -> None:
        self._folder = folder
        self._values = _values(folder)
        self._sections = _sections(folder.report, self._values)

    @property
    def count(self) -> int:
        """The number of pages."""
        return len(self._parts)

    @cached_property
    def _parts(self) -> list[list[str]]:
        """The sections on each page."""
        sections = [
            render_part("details/section.html.j2", name=name, heading=text, **self._values)
            for name, text in self._sections.items()
        ]
        return paged(sections, *(PAGE - room_of(self._page(number, [], lambda _: DETAILS)) for number in (1, 2)))

    def link(self, section: str) -> str:
        """The address of a section, relative to the folder; of the first page if there is no such section."""
        mark = f'<h2 id="ap-{section}">'
        for number, parts in enumerate(self._parts, 1):
            if any(mark in part for part in parts):
                return f"{details_page_name(number)}#ap-{section}"
        return DETAILS

    def page(self, number: int) -> str:
        """The page ``number``, from 1."""
        return self._page(number, self._parts[number - 1], self.link)

    def _page(self, number: int, parts: list[str], link: Callable[[str], str]) -> str:
        return render(
            "details.html.j2",
            number=number,
            count=len(self._parts) if parts else 2,
            parts=[Markup(part) for part in parts],  # noqa: S704 - rendered by templates of ours
            sections=self._sections,
            section_link=link,
            file_of=details_page_name,
            ticket_file=self._folder.ticket,
            **heading(self._folder.decided, longest=0 if number == 1 else SENTENCE),
            **self._values,
        )


def _values(folder: ReportFolder) -> dict[str, Any]:
    """What the templates of the sections show."""
    report = folder.report
    proofs = {proof.id: proof for proof in report.proofs}
    return {
        "report": report,
        "problems": problems(report),
        "changes": change_rows(report),
        "requirements": requirement_states(report),
        "rules": rules_witnessed(report),
        "lines": policy_lines(report),
        "noise": noise_sentence(report),
        "matrices": matrices(report),
        "claims": [proof for proof in report.proofs if proof.claim],
        "states": STATE_COLOURS,
        "feeds": FEED_COLOURS,
        "fired_text": lambda rule: list(fired_text(rule, proofs)),
        "remarks": list(entry_remarks(report)),
        "entry_text": entry_text,
        "forbidden_name": forbidden_name,
        "forbidden_reason": forbidden_reason,
        "remedy": lambda shown: remedy(shown, report),
        "violated_text": lambda violation: violated_text(violation, report),
        "change_sentence": change_sentence(report),
        "counts": COUNTS,
        "counted": [*counting_lines(report), *log_lines(report)],
        "differing": differing_text(report),
        "run_time": run_time(report),
        "why_not_performed": why_not_performed(report),
        "unperformed": report.coverage.unperformed if report.coverage else (),
        "daily": daily,
        "signs": SIGNS,
        "link": folder.link,
    }


def _sections(report: Report, values: dict[str, Any]) -> dict[str, str]:
    """The headings of the sections that have something to show, by name."""
    filled = {
        "problems": values["problems"] or report.not_performed,
        "gate": report.gate and (report.gate.forbidden or report.gate.allowed or values["remarks"]),
        "change": values["changes"],
        "requirements": values["requirements"],
        "detections": report.detections,
        "versions": report.versions,
        "warnings": report.policy.warnings,
        "rules": values["rules"],
        "policy": values["lines"],
        "noise": values["noise"],
        "lint": report.lint and (report.lint.findings or report.lint.ignored),
        "backends": report.backends,
        "matrix": values["matrices"],
        "claims": values["claims"],
    }
    return {name: text for name, text in _HEADINGS.items() if filled[name]}


def problems(report: Report) -> list[Problem]:
    """What is not proven, worst first; what has the same verdict for the same reasons is together."""
    found: dict[tuple[Outcome, tuple[str, ...]], list[ProofRecord]] = {}
    for proof in worst_first(proof for proof in report.proofs if proof.verdict.is_trouble):
        found.setdefault((proof.verdict, proof.reasons), []).append(proof)
    return [(verdict, reasons, proofs) for (verdict, reasons), proofs in found.items()]
