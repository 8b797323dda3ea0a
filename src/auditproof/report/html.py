"""The ticket document: what a run has shown, for people, as static HTML that needs no script.

It becomes the first part of pytest-html's file. Everything that a reader decides on is in the open; evidence is folded.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from html import escape
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SYMBOLS = {"PROVEN": "✓", "VIOLATED": "✗", "UNPROVEN": "?", "NOT_SUPPORTED": "-"}
_BODIES = ("requestObject", "responseObject")
_WORST_FIRST = ("VIOLATED", "UNPROVEN", "NOT_SUPPORTED", "PROVEN")


@dataclass(frozen=True, slots=True)
class RuleShown:
    """A rule (counted from 1) of the given policy, and how many of the actions that it decided are not proven."""

    number: int
    decided: int
    wrong: int


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """A line of the given policy with the rules that begin on it (several, where the policy is JSON on one line)."""

    number: int
    text: str
    rules: tuple[RuleShown, ...]


def ticket_document(report: Mapping[str, Any]) -> str:
    """The document for a change ticket, out of a ConformanceReport (see results.conformance_report)."""
    own, others = _by_policy(report)
    rendered: str = _template().render(
        report=report,
        css=Markup(_read("ticket.css")),  # noqa: S704 - a file of ours
        verdict=verdict_word(report),
        sentence=verdict_sentence(report),
        attention=[proof for proof in _worst_first(report["proofs"]) if proof["verdict"] in ("VIOLATED", "UNPROVEN")],
        claims=[proof for proof in report["proofs"] if proof["claim"]],
        lines=policy_lines(report),
        own=_suites(own),
        others=_suites(others),
        symbols=_SYMBOLS,
    )
    return rendered


def into_page(page: str, document: str) -> str:
    """pytest-html's page with the document in front, and a language and a width for readers and small screens."""
    head = '<html lang="en">'
    view = '<meta charset="utf-8"/>\n    <meta name="viewport" content="width=device-width, initial-scale=1"/>'
    page = page.replace("<html>", head, 1).replace('<meta charset="utf-8"/>', view, 1)
    before, body, after = page.partition("<body>")
    return f"{before}{body}\n{document}\n{after}" if body else f"{document}\n{page}"


def verdict_word(report: Mapping[str, Any]) -> str:
    """The verdict of the whole run: PROVEN only where everything that was planned is."""
    summary = report["summary"]
    if summary["violated"]:
        return "VIOLATED"
    if summary["unproven"] or not summary["proven"]:
        return "UNPROVEN"
    return "PROVEN"


def verdict_sentence(report: Mapping[str, Any]) -> str:
    """The verdict in words, for somebody in a hurry: never more about the policy than its own actions show."""
    about = _sentence(report)
    if report["sabotage"]:
        return f"Sabotage run, on policies broken on purpose: {about}"
    return about


def _sentence(report: Mapping[str, Any]) -> str:
    summary, path = report["summary"], report["policy"]["path"]
    planned, proven = summary["planned"], summary["proven"]
    supported = f" ({summary['notSupported']} not supported here)" if summary["notSupported"] else ""
    counts = f"{proven} of {planned} actions proven{supported}"
    if summary["violated"]:
        many = "1 action is" if summary["violated"] == 1 else f"{summary['violated']} actions are"
        return f"{many} not recorded as expected: {counts}."
    if verdict_word(report) == "UNPROVEN":
        return f"Nothing can be concluded about {planned - proven} actions: {counts}."
    own = sum(1 for proof in _by_policy(report)[0] if proof["verdict"] == "PROVEN")
    if not own:
        return f"{counts}, none of them judged by {path}: nothing is shown about that policy."
    judged = "" if own == planned else f", {own} of them judged by {path}"
    return f"{counts}{judged}: the API server records what the policy says."


def policy_lines(report: Mapping[str, Any]) -> list[PolicyLine]:
    """The given policy line by line, with what was shown about each rule."""
    policy = report["policy"]
    verdicts = _verdicts_by_rule(report)
    rules: dict[int, list[RuleShown]] = {}
    for rule, line in enumerate(policy.get("ruleLines", ())):
        wrong = sum(1 for verdict in verdicts[rule] if verdict != "PROVEN")
        rules.setdefault(line, []).append(RuleShown(rule + 1, len(verdicts[rule]), wrong))
    texts = policy.get("text", "").splitlines()
    return [PolicyLine(number, text, tuple(rules.get(number, ()))) for number, text in enumerate(texts, 1)]


def _verdicts_by_rule(report: Mapping[str, Any]) -> defaultdict[int, list[str]]:
    """The verdicts of the performed actions by the rule (from 0) of the given policy that decided about them."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for proof in _by_policy(report)[0]:
        if proof["auditID"] and proof["expected"]["rule"] is not None:
            found[proof["expected"]["rule"]].append(proof["verdict"])
    return found


def _by_policy(report: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    digest = report["policy"]["sha256"]
    own = [proof for proof in report["proofs"] if proof["policy"]["sha256"] == digest]
    return own, [proof for proof in report["proofs"] if proof["policy"]["sha256"] != digest]


def _suites(proofs: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, list[Mapping[str, Any]]]]:
    """Suite, the policy that it is judged by, and its proofs in the order of the file."""
    ordered = sorted(proofs, key=lambda proof: (proof["suite"], proof["line"], proof["id"]))
    grouped = ((suite, list(group)) for suite, group in groupby(ordered, key=lambda proof: str(proof["suite"])))
    return [(suite, str(group[0]["policy"]["path"]), group) for suite, group in grouped]


def _worst_first(proofs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(proofs, key=lambda proof: (_WORST_FIRST.index(proof["verdict"]), proof["id"]))


def anchor(proof_id: str) -> str:
    """The fragment by which a proof is linked to; different ids have different ones."""
    return "proof-" + quote(proof_id, safe="/:._~@,=+")


def _event_text(event: Mapping[str, Any]) -> Markup:
    """The event as JSON, a line for each of its fields; only the bodies, which people read for long, take more."""
    fields = (
        (key, json.dumps(value, indent=1 if key in _BODIES else None, ensure_ascii=False))
        for key, value in event.items()
    )
    text = "{\n" + ",\n".join(f' "{key}": {value}' for key, value in fields) + "\n}"
    return Markup(escape(text, quote=False))  # noqa: S704 - quotes are safe between tags, and there are thousands


def _template() -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"anchor": anchor, "event": _event_text}
    return environment.from_string(_read("ticket.html.j2"))


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
