"""report.html: what a run has shown, for people, as one static page that runs no script and loads nothing.

Everything that a reader decides on is visible at once; evidence is folded.
"""

from __future__ import annotations

import json
from functools import cache
from html import escape
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from auditproof.audit.event import Level
from auditproof.proof.verdict import Outcome
from auditproof.report.background import daily, noise_sentence
from auditproof.report.change import change_rows, change_sentence
from auditproof.report.faithful import differing_text, judged_by_given
from auditproof.report.headline import COUNTS, run_time, why_not_performed, worst_first
from auditproof.report.log_lines import log_lines
from auditproof.report.matrix import SIGNS, identity_text, matrices
from auditproof.report.policy_lines import policy_lines
from auditproof.report.proof_record import anchor
from auditproof.report.reconciliation import counting_lines
from auditproof.report.requirement_states import State, requirement_states
from auditproof.report.rule_coverage import rules_witnessed
from auditproof.report.statements import FAIL, PASS, UNPROVEN, decision, statements
from auditproof.text.printable import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditproof.report.model import EarlierRule, ProofRecord, Report

# With more proven actions than this, their evidence goes to a second file: the first stays under 3 MB for a thousand.
EVIDENCE_INSIDE = 850
EVIDENCE_FILE = "evidence.html"
BODY_SHOWN = 6000  # characters of a body; results.json has all of it
# Whatever an audit log or a test brings into the page is escaped; this is the second wall.
_SECURITY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_SYMBOLS = {Outcome.PROVEN: "✓", Outcome.VIOLATED: "✗", Outcome.UNPROVEN: "?", Outcome.NOT_SUPPORTED: "-"}
_VERDICTS = {PASS: Outcome.PROVEN, FAIL: Outcome.VIOLATED, UNPROVEN: Outcome.UNPROVEN}  # the badge of a decision
_STATES = {
    State.MET: Outcome.PROVEN,
    State.UNMET: Outcome.VIOLATED,
    State.NOT_SHOWN: Outcome.UNPROVEN,
    State.NOT_SELECTED: Outcome.NOT_SUPPORTED,
}
_BODIES = ("requestObject", "responseObject")


def report_page(report: Report) -> str:
    """The page for a change ticket."""
    return _render("report.html.j2", report, apart=evidence_is_apart(report))


def evidence_page(report: Report) -> str:
    """A page with the evidence of every proven action: what ``report_page`` leaves out of a large report."""
    return _render("evidence.html.j2", report, apart=False)


def evidence_is_apart(report: Report) -> bool:
    """Whether the evidence of the proven actions is in EVIDENCE_FILE."""
    return report.summary.proven > EVIDENCE_INSIDE


def _render(template: str, report: Report, *, apart: bool) -> str:
    fences = {fence: number for number, fence in enumerate(_fences(report), 1)}
    attention = _attention(report)
    digest = report.policy.sha256
    rendered: str = (
        _environment()
        .get_template(template)
        .render(
            report=report,
            css=Markup(_read("report.css")),  # noqa: S704 - a file of ours
            content_security=Markup(f'<meta http-equiv="Content-Security-Policy" content="{_SECURITY}">'),  # noqa: S704
            verdict=_VERDICTS[decision(report).word],
            sentence=decision(report).sentence,
            statements=statements(report),
            counts=COUNTS,
            differing=differing_text(report),
            run_time=run_time(report),
            attention=attention,
            told=_told_above(attention),
            changes=change_rows(report),
            counted=[*counting_lines(report), *log_lines(report)],
            change_sentence=change_sentence(report),
            claims=[proof for proof in report.proofs if proof.claim],
            lines=policy_lines(report),
            rules=rules_witnessed(report),
            requirements=[(_STATES[one.state], one) for one in requirement_states(report)],
            unperformed=report.coverage.unperformed if report.coverage else (),
            noise=noise_sentence(report),
            daily=daily,
            matrices=matrices(report),
            signs=SIGNS,
            own=_suites(judged_by_given(report)),
            others=_suites(proof for proof in report.proofs if proof.policy.sha256 != digest),
            fences=fences,
            why_not_performed=why_not_performed(report),
            symbols=_SYMBOLS,
            apart=apart,
            evidence_file=EVIDENCE_FILE,
            Level=Level,
        )
    )
    return visible(rendered)


def _fences(report: Report) -> list[str]:
    return sorted({proof.fence for proof in report.proofs} - {""})


def _attention(report: Report) -> list[tuple[Outcome, tuple[str, ...], list[ProofRecord]]]:
    """What is not proven, worst first; what has the same verdict for the same reasons stands together."""
    found: dict[tuple[Outcome, tuple[str, ...]], list[ProofRecord]] = {}
    for proof in worst_first(report.proofs):
        if proof.verdict.is_trouble:
            found.setdefault((proof.verdict, proof.reasons), []).append(proof)
    return [(verdict, reasons, proofs) for (verdict, reasons), proofs in found.items()]


def _told_above(attention: Iterable[tuple[Outcome, tuple[str, ...], list[ProofRecord]]]) -> set[str]:
    """Ids of proofs whose reason stands above, for many: their rows name its first line."""
    return {proof.id for _, _, proofs in attention for proof in proofs[1:]}


def _suites(proofs: Iterable[ProofRecord]) -> list[tuple[str, str, list[ProofRecord]]]:
    """Suite, the policy that it is judged by, and its proofs in the order of the file."""
    ordered = sorted(proofs, key=lambda proof: (proof.suite, proof.line, proof.id))
    grouped = ((suite, list(group)) for suite, group in groupby(ordered, key=lambda proof: proof.suite))
    return [(suite, group[0].policy.path, group) for suite, group in grouped]


def _event_text(event: Mapping[str, Any]) -> Markup:
    """The event as JSON, a line for each of its fields; only the bodies, which people read for long, take more."""
    text = "{\n" + ",\n".join(f' "{key}": {_field_text(key, value)}' for key, value in event.items()) + "\n}"
    return Markup(escape(text, quote=False))  # noqa: S704 - quotes are safe between tags, and there are thousands


def _field_text(key: str, value: Any) -> str:
    text = json.dumps(value, indent=1 if key in _BODIES else None, ensure_ascii=False)
    if len(text) <= BODY_SHOWN:
        return text
    return f"{text[:BODY_SHOWN]}\n … and {len(text) - BODY_SHOWN} more characters, in results.json"


def _by_condition(earlier: Sequence[EarlierRule]) -> str:
    """The earlier rules by the condition that they fail: ``1, 2 (resources); 3 (verbs)``."""
    found: dict[str, list[str]] = {}
    for entry in earlier:
        found.setdefault(entry.condition, []).append(str(entry.rule + 1))
    return "; ".join(f"{', '.join(rules)} ({condition})" for condition, rules in found.items())


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_read)
    )
    environment.filters |= {"anchor": anchor, "event": _event_text, "conditions": _by_condition, "who": identity_text}
    return environment


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
