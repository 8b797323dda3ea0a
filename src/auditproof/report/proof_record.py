"""A proof as plain data: what results.json, the HTML document and a worker's report carry, and the story in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from auditproof.audit.decide import decide
from auditproof.audit.explain import effect_of, explain, render
from auditproof.audit.redact import redact, redact_text
from auditproof.audit.stages import in_order

if TYPE_CHECKING:
    from auditproof.audit.decide import Decision
    from auditproof.audit.explain import Explanation
    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import Case
    from auditproof.cases.expectation import Claim
    from auditproof.kube.identity import Identity
    from auditproof.proof.prover import Proof
    from auditproof.proof.verdict import Evidence, Verdict


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a proof comes from: its id, its sentence, the suite's file and line, and what the suite says about it."""

    id: str
    title: str
    suite: str
    line: int
    because: str
    claim: Claim | None
    kubernetes: str = ""


def proof_record(proof: Proof, origin: Origin, policy: Policy) -> dict[str, Any]:
    """One judged action, secrets redacted."""
    verdict = proof.verdict
    evidence = verdict.evidence
    exchange = evidence.exchange
    return {
        **_head(proof.case, origin, policy),
        "auditID": exchange.audit_id,
        "expected": _expected(proof.case, verdict),
        "observed": {
            "level": str(evidence.level),
            "stages": [str(event.stage) for event in evidence.events],
            "status": exchange.status,
        },
        "verdict": str(verdict.outcome),
        "reasons": list(verdict.reasons),
        "claim": _claim(origin, evidence),
        "events": [redact(event.raw) for event in evidence.events],
        "fence": evidence.fence,
        "seconds": round((exchange.finished - exchange.started).total_seconds(), 4),
    }


def failed_record(case: Case, origin: Origin, policy: Policy, verdict: str, reason: str) -> dict[str, Any]:
    """One action that was not performed: ``verdict`` is UNPROVEN or NOT_SUPPORTED."""
    decision = decide(policy, case.attributes)
    level = decision.level if case.expectation.level is None else case.expectation.level
    return {
        **_head(case, origin, policy),
        "auditID": "",
        "expected": {**_rule(decision), "level": str(level), "stages": [], "source": _source(case)},
        "observed": {"level": None, "stages": [], "status": 0},
        "verdict": verdict,
        "reasons": [reason],
        "claim": None,
        "events": [],
        "fence": "",
        "seconds": 0.0,
    }


def bare_record(origin: Origin, policy: Policy, verdict: str, reason: str) -> dict[str, Any]:
    """What was planned, and not performed, where it is not known what would have been asked.

    ``verdict`` is UNPROVEN or NOT_SUPPORTED.
    """
    keys = ("method", "path", "verb", "apiGroup", "resource", "subresource", "namespace", "name")
    return {
        **_place(origin, policy),
        "identity": {"user": None, "groups": [], "kind": "anonymous", "impersonates": None},
        "request": dict.fromkeys(keys, ""),
        "because": "",
        "explanation": {"effect": "", "earlier": [], "shadowed": []},
        "auditID": "",
        "expected": {"rule": None, "line": None, "level": "None", "stages": [], "source": "case"},
        "observed": {"level": None, "stages": [], "status": 0},
        "verdict": verdict,
        "reasons": [reason],
        "claim": None,
        "events": [],
        "fence": "",
        "seconds": 0.0,
    }


def _place(origin: Origin, policy: Policy) -> dict[str, Any]:
    return {
        "id": origin.id,
        "title": origin.title,
        "suite": origin.suite,
        "line": origin.line,
        "policy": {"path": policy.path, "sha256": policy.sha256},
        "kubernetes": origin.kubernetes,
    }


def _head(case: Case, origin: Origin, policy: Policy) -> dict[str, Any]:
    return {
        **_place(origin, policy),
        "identity": _identity(case.identity),
        "request": _request(case),
        "because": origin.because,
        "explanation": explanation_record(explain(policy, case.attributes)),
    }


def _identity(identity: Identity) -> dict[str, Any]:
    """The user as the API server's authentication sees it; null where it fails."""
    info = identity.user_info()
    return {
        "user": info.name if info else None,
        "groups": list(info.groups) if info else [],
        "kind": str(identity.kind),
        "impersonates": identity.impersonates.user if identity.impersonates else None,
    }


def _request(case: Case) -> dict[str, Any]:
    attributes = case.attributes
    return {
        "method": case.request.method,
        "path": case.request.uri,
        "verb": attributes.verb,
        "apiGroup": attributes.api_group,
        "resource": attributes.resource,
        "subresource": attributes.subresource,
        "namespace": attributes.namespace,
        "name": attributes.name,
    }


def _expected(case: Case, verdict: Verdict) -> dict[str, Any]:
    return {
        **_rule(verdict.evidence.decision),
        "level": str(verdict.level),
        "stages": [str(stage) for stage in in_order(verdict.stages)],
        "source": _source(case),
    }


def _rule(decision: Decision) -> dict[str, Any]:
    rule = decision.rule
    return {"rule": rule.index if rule else None, "line": rule.position.line if rule else None}


def explanation_record(explanation: Explanation) -> dict[str, Any]:
    """Why the rule decides: what it says, which earlier rules (from 0) fail for what, which later ones match, too."""
    return {
        "effect": effect_of(explanation.decision),
        "earlier": [
            {"rule": rule.index, "line": rule.position.line, "condition": reason.condition, "reason": reason.text}
            for rule, reason in explanation.earlier
        ],
        "shadowed": [rule.index for rule in explanation.shadowed],
    }


def _source(case: Case) -> str:
    return "policy" if case.expectation.level is None else "case"


def _claim(origin: Origin, evidence: Evidence) -> dict[str, Any] | None:
    if origin.claim is None:
        return None
    holds = origin.claim.level is evidence.level
    return {"text": origin.claim.text, "level": str(origin.claim.level), "holds": holds}


def anchor(proof_id: str) -> str:
    """The fragment by which a proof is linked to; different ids have different ones."""
    return "proof-" + quote(proof_id, safe="/:._~@,=+")


def story(proof: Proof, origin: Origin, policy: Policy) -> str:
    """The whole story of one verdict: the reason in the first line, then everything a reader needs to believe it."""
    verdict = proof.verdict
    evidence = verdict.evidence
    exchange, attributes = evidence.exchange, evidence.exchange.attributes
    stages = ", ".join(str(event.stage) for event in evidence.events) or "none"
    first, *others = verdict.reasons
    rows = [
        ("action", f"{exchange.identity} · {exchange.request.method} {exchange.request.uri} → {exchange.status}"),
        ("verb", f"{attributes.verb}, Audit-ID {exchange.audit_id}"),
        ("expected", f"level {verdict.level} · stages {', '.join(in_order(verdict.stages)) or 'none'}"),
        ("recorded", f"level {evidence.level} · stages {stages}"),
        ("evidence", _places(evidence)),
        ("fence", evidence.fence or "not seen"),
    ]
    lines = [f"{verdict.outcome}: {first}", f"  {origin.title}"] if origin.title else [f"{verdict.outcome}: {first}"]
    lines += [f"  also      {reason}" for reason in others]
    lines += [f"  {name:<9} {text}" for name, text in rows]
    lines += [f"  because   {origin.because}"] if origin.because else []
    lines += [f"  policy    {line}" for line in render(explain(policy, attributes)).splitlines()]
    return redact_text("\n".join(lines))


def _places(evidence: Evidence) -> str:
    places = [f"{Path(event.source).name} byte {event.offset}" for event in evidence.events]
    return f"{len(places)} event{'s' if len(places) != 1 else ''}" + (f": {', '.join(places)}" if places else "")
