"""The ticket document: what a run has shown, for people, as static HTML that needs no script.

It becomes the first part of pytest-html's file. Everything that a reader decides on is in the open; evidence is folded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from html import escape, unescape
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from auditproof.report.background import noise_rows, noise_sentence
from auditproof.report.change import change_rows, change_sentence
from auditproof.report.headline import (
    is_trouble,
    judged_by_given,
    run_time,
    verdict_sentence,
    verdict_word,
    why_not_performed,
    worst_first,
)
from auditproof.report.matrix import LEVELS, identity_text, matrices
from auditproof.report.policy_lines import policy_lines
from auditproof.report.proof_record import anchor
from auditproof.report.reconciliation import counting_lines
from auditproof.report.rule_coverage import requirements_shown, rules_witnessed
from auditproof.text.printable import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# More proven actions than this, and their evidence goes to a second file: so the first stays under 3 MB for a thousand.
EVIDENCE_INSIDE = 850
EVIDENCE_FILE = "evidence.html"
BODY_SHOWN = 6000  # characters of a body; results.json has all of it
DOCUMENT = '<main id="auditproof">'  # what our part of a page begins with
_SYMBOLS = {"PROVEN": "✓", "VIOLATED": "✗", "UNPROVEN": "?", "NOT_SUPPORTED": "-"}
_BODIES = ("requestObject", "responseObject")
_SCRIPT, _LINKS, _VIEWPORT = "<script>", 'rel="stylesheet"', "width=device-width, initial-scale=1"
_RELOADS = ' onclick="location.reload()"'  # of a button that a finished report hides
_BLOB = re.compile(r'data-jsonblob="([^"]*)"')


def ticket_document(report: Mapping[str, Any]) -> str:
    """The document for a change ticket, out of a ConformanceReport (see results.conformance_report)."""
    return _render("ticket.html.j2", report, apart=evidence_is_apart(report))


def evidence_document(report: Mapping[str, Any]) -> str:
    """A page with the evidence of every proven action: what ``ticket_document`` leaves out of a large report."""
    return _render("evidence.html.j2", report, apart=False)


def evidence_is_apart(report: Mapping[str, Any]) -> bool:
    """Whether the evidence of the proven actions stands in EVIDENCE_FILE."""
    return bool(report["summary"]["proven"] > EVIDENCE_INSIDE)


def into_page(page: str, document: str) -> str:
    """pytest-html's page with the document in front, and a language and a width for readers and small screens.

    It may run pytest-html's own script, by its digest, and load nothing; a page that links its style sheet was not made
    by a run of ours, and keeps what it has.
    """
    head, allowed = '<html lang="en">', "" if _LINKS in page else policy_of_page(_script(page))
    view = f'<meta charset="utf-8"/>\n    {allowed}<meta name="viewport" content="{_VIEWPORT}"/>'
    page = page.replace("<html>", head, 1).replace('<meta charset="utf-8"/>', view, 1).replace(_RELOADS, "", 1)
    page = _BLOB.sub(_in_single_quotes, page, count=1)
    above, script, below = page.rpartition(_SCRIPT)
    page = f"{visible(above)}{script}{below}" if script else visible(page)
    before, body, after = page.partition("<body>")
    return f"{before}{body}\n{document}\n{after}" if body else f"{document}\n{page}"


def _script(page: str) -> str:
    """pytest-html's own script, which ends the page; nothing that a test has said stands as a tag before it."""
    return page.rpartition(_SCRIPT)[2].partition("</script>")[0] if _SCRIPT in page else ""


def policy_of_page(script: str = "") -> str:
    """A Content-Security-Policy: what stands in the page itself, and no script but this one.

    Whatever an audit log or a test brings into the page is escaped; this is the second wall.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    own = f" script-src 'sha256-{digest}';" if script else ""
    rules = f"default-src 'none';{own} style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return f'<meta http-equiv="Content-Security-Policy" content="{rules}">'


def standalone_page(document: str, report: Mapping[str, Any]) -> str:
    """A whole page with the document alone."""
    title = escape(f"auditproof: {report['policy']['path']}")
    empty = f'<html>\n<head><meta charset="utf-8"/><title>{title}</title></head>\n<body></body>\n</html>\n'
    return into_page(f"<!DOCTYPE html>\n{empty}", document)


def _in_single_quotes(blob: re.Match[str]) -> str:
    """pytest-html's data with its tens of thousands of quotes as they are: a third of the size."""
    text = unescape(blob.group(1)).replace("&", "&amp;").replace("'", "&#39;")
    return f"data-jsonblob='{text}'"


def _render(template: str, report: Mapping[str, Any], *, apart: bool) -> str:
    fences = {fence: number for number, fence in enumerate(_fences(report), 1)}
    own, attention = judged_by_given(report), _attention(report)
    digest = report["policy"]["sha256"]
    rendered: str = (
        _environment()
        .get_template(template)
        .render(
            report=report,
            css=Markup(_read("ticket.css")),  # noqa: S704 - a file of ours
            verdict=verdict_word(report),
            sentence=verdict_sentence(report),
            run_time=run_time(report),
            run={"by": "", "ci": "", "url": "", **report.get("run", {})},
            attention=attention,
            told=_told_above(attention),
            changes=change_rows(report),
            counted=[*counting_lines(report), *report.get("log", {}).get("notSeen", ())],
            change_sentence=change_sentence(report),
            lint=report.get("lint", {"findings": (), "ignored": ()}),
            claims=[proof for proof in report["proofs"] if proof["claim"]],
            lines=policy_lines(report),
            rules=rules_witnessed(report),
            requirements=requirements_shown(report),
            unperformed=report.get("coverage", {}).get("unperformed", ()),
            noise=noise_sentence(report),
            noise_components=noise_rows(report, "components"),
            noise_rules=noise_rows(report, "rules"),
            matrices=matrices(report),
            levels=LEVELS,
            own=_suites(own),
            others=_suites(proof for proof in report["proofs"] if proof["policy"]["sha256"] != digest),
            fences=fences,
            content_security=Markup(policy_of_page()),  # noqa: S704 - as above
            why_not_performed=why_not_performed(report),
            symbols=_SYMBOLS,
            apart=apart,
            evidence_file=EVIDENCE_FILE,
        )
    )
    return visible(rendered)


def _fences(report: Mapping[str, Any]) -> list[str]:
    return sorted({proof["fence"] for proof in report["proofs"]} - {""})


def _attention(report: Mapping[str, Any]) -> list[tuple[str, list[str], list[Mapping[str, Any]]]]:
    """What is not proven, worst first; what has the same verdict for the same reasons stands together."""
    found: dict[tuple[str, tuple[str, ...]], list[Mapping[str, Any]]] = {}
    for proof in worst_first(report["proofs"]):
        if is_trouble(proof):
            found.setdefault((proof["verdict"], tuple(proof["reasons"])), []).append(proof)
    return [(verdict, list(reasons), proofs) for (verdict, reasons), proofs in found.items()]


def _told_above(attention: Iterable[tuple[str, list[str], list[Mapping[str, Any]]]]) -> set[str]:
    """Ids of proofs whose reason stands above, for many: their rows name its first line."""
    return {proof["id"] for _, _, proofs in attention for proof in proofs[1:]}


def _suites(proofs: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, list[Mapping[str, Any]]]]:
    """Suite, the policy that it is judged by, and its proofs in the order of the file."""
    ordered = sorted(proofs, key=lambda proof: (proof["suite"], proof["line"], proof["id"]))
    grouped = ((suite, list(group)) for suite, group in groupby(ordered, key=lambda proof: str(proof["suite"])))
    return [(suite, str(group[0]["policy"]["path"]), group) for suite, group in grouped]


def _event_text(event: Mapping[str, Any]) -> Markup:
    """The event as JSON, a line for each of its fields; only the bodies, which people read for long, take more."""
    text = "{\n" + ",\n".join(f' "{key}": {_field_text(key, value)}' for key, value in event.items()) + "\n}"
    return Markup(escape(text, quote=False))  # noqa: S704 - quotes are safe between tags, and there are thousands


def _field_text(key: str, value: Any) -> str:
    text = json.dumps(value, indent=1 if key in _BODIES else None, ensure_ascii=False)
    if len(text) <= BODY_SHOWN:
        return text
    return f"{text[:BODY_SHOWN]}\n … and {len(text) - BODY_SHOWN} more characters, in results.json"


def _by_condition(earlier: Sequence[Mapping[str, Any]]) -> str:
    """The earlier rules by the condition that they fail: ``1, 2 (resources); 3 (verbs)``."""
    found: dict[str, list[str]] = {}
    for entry in earlier:
        found.setdefault(entry["condition"], []).append(str(entry["rule"] + 1))
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
