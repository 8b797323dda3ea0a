"""details.html: the whole analysis behind the ticket, as tables. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.report.background import daily, noise_sentence
from auditproof.report.change import change_rows, change_sentence
from auditproof.report.entries import entry_remarks, entry_text
from auditproof.report.faithful import differing_text
from auditproof.report.gate import forbidden_name, forbidden_reason
from auditproof.report.headline import COUNTS, run_time, why_not_performed, worst_first
from auditproof.report.html.environment import render
from auditproof.report.html.heading import STATE_COLOURS, heading
from auditproof.report.log_lines import log_lines
from auditproof.report.matrix import SIGNS, matrices
from auditproof.report.policy_lines import policy_lines
from auditproof.report.reconciliation import counting_lines
from auditproof.report.requirement_states import remedy, requirement_states, violated_text
from auditproof.report.rule_coverage import rules_witnessed

if TYPE_CHECKING:
    from auditproof.proof.verdict import Outcome
    from auditproof.report.html.files import ReportFolder
    from auditproof.report.model import ProofRecord, Report

Problem = tuple["Outcome", tuple[str, ...], list["ProofRecord"]]
_HEADINGS = {
    "problems": "Problems",
    "gate": "Forbidden changes, and who acknowledged them",
    "change": "What this change does",
    "requirements": "Requirements",
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


def details_page(folder: ReportFolder) -> str:
    """The page with everything that was found out about the policy."""
    report = folder.report
    values: dict[str, Any] = {
        "problems": problems(report),
        "changes": change_rows(report),
        "requirements": requirement_states(report),
        "rules": rules_witnessed(report),
        "lines": policy_lines(report),
        "noise": noise_sentence(report),
        "matrices": matrices(report),
        "claims": [proof for proof in report.proofs if proof.claim],
    }
    filled = {
        "problems": values["problems"] or report.not_performed,
        "gate": report.gate and (report.gate.forbidden or report.gate.allowed or list(entry_remarks(report))),
        "change": values["changes"],
        "requirements": values["requirements"],
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
    return render(
        "details.html.j2",
        report=report,
        **heading(report),
        states=STATE_COLOURS,
        remarks=list(entry_remarks(report)),
        entry_text=entry_text,
        forbidden_name=forbidden_name,
        forbidden_reason=forbidden_reason,
        remedy=lambda shown: remedy(shown, report),
        violated_text=lambda violation: violated_text(violation, report),
        change_sentence=change_sentence(report),
        counts=COUNTS,
        counted=[*counting_lines(report), *log_lines(report)],
        differing=differing_text(report),
        run_time=run_time(report),
        why_not_performed=why_not_performed(report),
        unperformed=report.coverage.unperformed if report.coverage else (),
        daily=daily,
        signs=SIGNS,
        link=folder.link,
        ticket_file=folder.ticket,
        sections={name: text for name, text in _HEADINGS.items() if filled[name]},
        **values,
    )


def problems(report: Report) -> list[Problem]:
    """What is not proven, worst first; what has the same verdict for the same reasons is together."""
    found: dict[tuple[Outcome, tuple[str, ...]], list[ProofRecord]] = {}
    for proof in worst_first(report.proofs):
        if proof.verdict.is_trouble:
            found.setdefault((proof.verdict, proof.reasons), []).append(proof)
    return [(verdict, reasons, proofs) for (verdict, reasons), proofs in found.items()]
