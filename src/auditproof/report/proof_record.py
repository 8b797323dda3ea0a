"""The records of proofs, as results.json and a worker's message carry them, and the story of a verdict in words."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from auditproof.audit.decide import decide
from auditproof.audit.event import Level, Stage
from auditproof.audit.explain import effect_of, explain, render
from auditproof.audit.redact import redact, redact_text
from auditproof.audit.stages import in_order
from auditproof.cases.expectation import Expectation
from auditproof.detections.examples import Firing
from auditproof.kube.attributes import Attributes
from auditproof.kube.identity import IdentityKind
from auditproof.proof.verdict import Outcome, decided_stages, judge
from auditproof.report.model import (
    ClaimRecord,
    EarlierRule,
    Expected,
    ExplanationRecord,
    FiringRecord,
    IdentityRecord,
    Observed,
    PolicyRef,
    ProofRecord,
    RequestRecord,
)

if TYPE_CHECKING:
    from auditproof.audit.decide import Decision
    from auditproof.audit.explain import Explanation
    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import Case, Source
    from auditproof.kube.identity import Identity
    from auditproof.proof.prover import Proof
    from auditproof.proof.verdict import Evidence


def proof_record(proof: Proof, policy: Policy) -> ProofRecord:
    """The record of a judged action, secrets redacted."""
    verdict, case = proof.verdict, proof.case
    evidence = verdict.evidence
    exchange = evidence.exchange
    return ProofRecord(
        **_action(case, policy),
        audit_id=exchange.audit_id,
        expected=Expected(
            **rule_fields(evidence.decision),
            level=verdict.level,
            stages=tuple(in_order(verdict.stages)),
            source=_source(case),
        ),
        observed=Observed(
            level=evidence.level, stages=tuple(event.stage for event in evidence.events), status=exchange.status
        ),
        verdict=verdict.outcome,
        reasons=verdict.reasons,
        contradicts=_contradicts(proof),
        claim=_claim(case, evidence),
        events=tuple(redact(event.raw) for event in evidence.events),
        firing=_firing(case, evidence, shown=verdict.outcome is not Outcome.UNPROVEN),
        fence=evidence.fence,
        seconds=round((exchange.finished - exchange.started).total_seconds(), 4),
    )


def _contradicts(proof: Proof) -> Literal["", "policy", "events"]:
    """What a VIOLATED case is at odds with, if the server did not record otherwise than the policy decides."""
    verdict, stated = proof.verdict, proof.case.expectation
    if verdict.outcome is not Outcome.VIOLATED:
        return ""
    evidence = verdict.evidence
    server = judge(Expectation(status=stated.status), evidence).outcome
    if server is Outcome.VIOLATED or (server is Outcome.UNPROVEN and not evidence.events):
        return ""
    as_decided = verdict.level is evidence.decision.level and verdict.stages == decided_stages(evidence)
    return "events" if as_decided else "policy"


def failed_record(case: Case, policy: Policy, verdict: Outcome, reason: str) -> ProofRecord:
    """The record of an action that was not performed: ``verdict`` is UNPROVEN or NOT_SUPPORTED."""
    decision = decide(policy, case.attributes)
    level = decision.level if case.expectation.level is None else case.expectation.level
    return ProofRecord(
        **_action(case, policy),
        audit_id="",
        expected=Expected(**rule_fields(decision), level=level, source=_source(case)),
        observed=Observed(level=None, stages=()),
        verdict=verdict,
        reasons=(reason,),
        firing=_firing(case, None, shown=False),
    )


def bare_record(name: str, title: str, source: Source, policy: Policy, verdict: Outcome, reason: str) -> ProofRecord:
    """The record of what was planned and not performed, where the request is not known.

    ``verdict`` is UNPROVEN or NOT_SUPPORTED.
    """
    return ProofRecord(
        **_head(name, title, source, policy),
        identity=IdentityRecord(user=None, groups=(), kind=IdentityKind.ANONYMOUS),
        request=request_record(Attributes(user=None, verb=""), "", ""),
        audit_id="",
        expected=Expected(rule=None, line=None, level=Level.NONE, source="case"),
        observed=Observed(level=None, stages=()),
        verdict=verdict,
        reasons=(reason,),
    )


def _head(name: str, title: str, source: Source, policy: Policy) -> dict[str, Any]:
    return {
        "id": name,
        "title": title,
        "suite": source.file,
        "line": source.line,
        "policy": _policy_ref(policy.path, policy.sha256),
    }


# Thousands of records share these parts: each is made, and kept in memory, once.
@lru_cache(maxsize=64)
def _policy_ref(path: str, sha256: str) -> PolicyRef:
    return PolicyRef(path=path, sha256=sha256)


@lru_cache(maxsize=1024)
def _identity_record(identity: Identity) -> IdentityRecord:
    info = identity.user_info()
    return IdentityRecord(
        user=info.name if info else None,
        groups=info.groups if info else (),
        kind=identity.kind,
        impersonates=identity.impersonates.user if identity.impersonates else None,
    )


def _action(case: Case, policy: Policy) -> dict[str, Any]:
    """Who asks for what, where that is written, and why the policy decides about it as it does."""
    attributes = case.attributes
    return {
        **_head(case.id, case.title, case.source, policy),
        "because": case.because,
        "identity": _identity_record(case.identity),
        "request": request_record(attributes, case.request.method, case.request.uri),
        "explanation": explanation_record(explain(policy, attributes)),
    }


def request_record(attributes: Attributes, method: str, uri: str) -> RequestRecord:
    """A request with the attributes that the API server gives to it."""
    return RequestRecord(
        method=method,
        path=uri,
        verb=attributes.verb,
        api_group=attributes.api_group,
        resource=attributes.resource,
        subresource=attributes.subresource,
        namespace=attributes.namespace,
        name=attributes.name,
    )


def rule_fields(decision: Decision) -> dict[str, Any]:
    """Index and line of the deciding rule; None each where no rule matches."""
    rule = decision.rule
    return {"rule": rule.index if rule else None, "line": rule.position.line if rule else None}


def explanation_record(explanation: Explanation) -> ExplanationRecord:
    """Why the rule decides: its effect, which condition fails in each earlier rule, which later rules match as well."""
    return _explanation_record(
        effect_of(explanation.decision, explanation.emitted),
        tuple((rule.index, rule.position.line, reason.condition, reason.text) for rule, reason in explanation.earlier),
        tuple(rule.index for rule in explanation.shadowed),
    )


Earlier = tuple[int, int, str, str]  # index and line of a rule, the condition that fails, and why


@lru_cache(maxsize=1024)
def _explanation_record(effect: str, earlier: tuple[Earlier, ...], shadowed: tuple[int, ...]) -> ExplanationRecord:
    return ExplanationRecord(effect=effect, earlier=tuple(map(_earlier_rule, earlier)), shadowed=shadowed)


@lru_cache(maxsize=8192)
def _earlier_rule(earlier: Earlier) -> EarlierRule:
    rule, line, condition, reason = earlier
    return EarlierRule.model_validate({"rule": rule, "line": line, "condition": condition, "reason": reason})


def _source(case: Case) -> Literal["case", "policy"]:
    return "policy" if case.expectation.level is None else "case"


def _firing(case: Case, evidence: Evidence | None, *, shown: bool) -> FiringRecord | None:
    """What a detection rule made of the events; ``shown``: whether its silence counts."""
    watcher = case.expectation.watcher
    if not isinstance(watcher, Firing):
        return None
    events = [event.raw for event in evidence.watched] if evidence else []
    event = watcher.fired(events) if shown else None
    return FiringRecord(
        rule=watcher.rule,
        step=watcher.step,
        miss=watcher.miss,
        fired=event is not None if shown else None,
        level=Level(event["level"]) if event else None,
        stage=Stage(event["stage"]) if event else None,
        silence=redact_text(watcher.silence(events)) if shown and event is None else "",
        through=watcher.through.controller if watcher.through else "",
    )


def _claim(case: Case, evidence: Evidence) -> ClaimRecord | None:
    if (claim := case.claim) is None:
        return None
    return ClaimRecord(text=claim.text, level=claim.level, holds=claim.level is evidence.level)


def anchor(proof_id: str) -> str:
    """The fragment by which a proof is linked to; different ids have different ones."""
    return "proof-" + quote(proof_id, safe="/:._~@,=+")


def story(proof: Proof, policy: Policy) -> str:
    """The whole story of one verdict: the reason in the first line, then everything a reader needs to believe it."""
    case, verdict = proof.case, proof.verdict
    evidence = verdict.evidence
    exchange, attributes = evidence.exchange, evidence.exchange.attributes
    stages = ", ".join(str(event.stage) for event in evidence.events) or "none"
    first, *others = verdict.reasons or ("recorded as expected",)
    places = [f"{Path(event.source).name} byte {event.offset}" for event in evidence.events]
    rows = [
        ("action", f"{exchange.identity} · {exchange.request.method} {exchange.request.uri} → {exchange.status}"),
        ("verb", f"{attributes.verb}, Audit-ID {exchange.audit_id}"),
        ("expected", f"level {verdict.level} · stages {', '.join(in_order(verdict.stages)) or 'none'}"),
        ("recorded", f"level {evidence.level} · stages {stages}"),
        (
            "evidence",
            f"{len(places)} event{'s' if len(places) != 1 else ''}" + (f": {', '.join(places)}" if places else ""),
        ),
        ("fence", evidence.fence or "not seen"),
    ]
    lines = [f"{verdict.outcome}: {first}", f"  {case.title}"] if case.title else [f"{verdict.outcome}: {first}"]
    lines += [f"  also      {reason}" for reason in others]
    lines += [f"  {name:<9} {text}" for name, text in rows]
    if at_odds := _contradicts(proof):
        stated = "the policy decides" if at_odds == "policy" else "the events say"
        lines.append(f"  note      the server recorded what the policy decides; the case expects other than {stated}")
    lines += [f"  because   {case.because}"] if case.because else []
    lines += [f"  policy    {line}" for line in render(explain(policy, attributes)).splitlines()]
    return redact_text("\n".join(lines))
