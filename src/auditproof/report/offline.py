"""An offline log as records of a report: each kind of requests, requirement and file is a proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level
from auditproof.audit.explain import explain
from auditproof.audit.redact import redact
from auditproof.audit.stages import emitted_stages, in_order
from auditproof.kube.attributes import Attributes
from auditproof.proof.verdict import Outcome
from auditproof.report.model import Expected, IdentityRecord, LogFile, LogRecord, Observed, PolicyRef, ProofRecord
from auditproof.report.proof_record import explanation_record, request_record, rule_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditproof.audit.decide import Decision
    from auditproof.audit.event import AuditEvent
    from auditproof.audit.policy.load import Policy
    from auditproof.auditlog.offline_log import ForeignFile
    from auditproof.proof.offline import Judgement, Kind

SHOWN = 5  # problems of one kind
_NO_ATTRIBUTES = Attributes(user=None, verb="")


def kind_record(kind: Kind, suite: str, policy: Policy) -> ProofRecord:
    """Requests of one kind: all that are recorded otherwise than the policy decides, or that none is."""
    wrong = [f"{count} times: {text}" if count > 1 else text for text, count in kind.wrong.most_common(SHOWN)]
    open_ones = kind.incomplete[:SHOWN] or ([] if kind.complete else ["no request of this kind is complete in the log"])
    verdict = Outcome.VIOLATED if wrong else Outcome.UNPROVEN if open_ones else Outcome.PROVEN
    users = f"{len(kind.users)} users" if len(kind.users) > 1 else next(iter(kind.users), "") or "nobody"
    requests = "1 request" if kind.requests == 1 else f"{kind.requests} requests"
    title = f"{requests} by {users}: {kind.name.partition('-')[2].partition('-')[2]}"
    return _record(
        f"{suite}::{kind.name}",
        title,
        suite,
        kind.example,
        kind.attributes,
        policy,
        expected=_expected(kind.decision, kind.attributes, kind.example),
        verdict=verdict,
        reasons=tuple(wrong or open_ones),
        explanation=explanation_record(explain(policy, kind.attributes)),
    )


def file_record(file: ForeignFile, suite: str, policy: Policy) -> ProofRecord:
    """One file: whether every line of it is an event; one that is not may be any event."""
    reasons = [f"{file.name}:{number}: {text}" for number, text in file.invalid]
    if file.invalid_lines > len(reasons):
        reasons.append(f"... and {file.invalid_lines - len(reasons)} more lines")
    if not file.lines:
        reasons = [f"{file.name} is empty"]
    return _record(
        f"{suite}::lines-of-{file.name}",
        f"Every line of {file.name} is an event",
        suite,
        None,
        None,
        policy,
        verdict=Outcome.UNPROVEN if reasons else Outcome.PROVEN,
        reasons=tuple(reasons),
    )


def requirement_record(
    name: str, title: str, because: str, suite: str, policy: Policy, found: Sequence[tuple[AuditEvent, Attributes, str]]
) -> ProofRecord:
    """A requirement on recorded requests; ``found`` are events with what is wrong with each, or an empty text."""
    wrong = [(event, attributes, text) for event, attributes, text in found if text]
    event, attributes, _ = (wrong or list(found))[0]
    return _record(
        f"{suite}::{name}",
        title,
        suite,
        event,
        attributes,
        policy,
        verdict=Outcome.VIOLATED if wrong else Outcome.PROVEN,
        reasons=tuple(text for _, _, text in wrong[:SHOWN]),
        because=because,
    )


def log_record(files: Sequence[ForeignFile], judgement: Judgement, policy: Policy) -> LogRecord:
    """The section ``log``: what the recorded logs hold, and what cannot be seen in them."""
    lines = [policy.rules[number].position.line for number in judgement.rules_not_seen()]
    return LogRecord(
        files=tuple(
            LogFile(path=file.name, lines=file.lines, events=file.events, invalid=file.invalid_lines) for file in files
        ),
        first=judgement.first.isoformat() if judgement.first else "",
        last=judgement.last.isoformat() if judgement.last else "",
        requests=sum(kind.requests for kind in judgement.kinds.values()),
        not_seen=tuple(_not_seen(files, judgement, policy, lines)),
    )


def _not_seen(files: Sequence[ForeignFile], judgement: Judgement, policy: Policy, lines: Sequence[int]) -> list[str]:
    excluded = sum(rule.level is Level.NONE for rule in policy.rules)
    notes = [
        "Excluded and lost requests leave no event: no log can show that something is not recorded"
        + (f" (rules that exclude: {excluded})" if excluded else ""),
    ]
    if lines:
        notes.append(f"Rules without any event: lines {', '.join(map(str, lines))}")
    if invalid := sum(file.invalid_lines for file in files):
        notes.append(f"{invalid} lines are not valid events")
    if judgement.truncated:
        notes.append(f"{judgement.truncated} events were truncated and lack their bodies")
    return notes


def _record(
    name: str,
    title: str,
    suite: str,
    event: AuditEvent | None,
    attributes: Attributes | None,
    policy: Policy,
    **judged: Any,
) -> ProofRecord:
    """A record of ``event`` (or of none); ``judged`` are the verdict and what else is known."""
    raw: Mapping[str, Any] = event.raw if event else {}
    user = attributes.user if attributes else None
    fields: dict[str, Any] = {
        "id": name,
        "title": title,
        "suite": suite,
        "line": event.offset if event else 1,
        "policy": PolicyRef(path=policy.path, sha256=policy.sha256),
        "identity": IdentityRecord(
            user=user.name if user else None,
            groups=user.groups if user else (),
            kind="recorded",
            impersonates=_text(raw.get("impersonatedUser", {}).get("username")),
        ),
        "request": request_record(attributes or _NO_ATTRIBUTES, "", str(raw.get("requestURI", ""))),
        "audit_id": event.audit_id if event else "",
        "expected": Expected(rule=None, line=None, level=Level.NONE),
        "observed": Observed(
            level=event.level if event else None,
            stages=(event.stage,) if event else (),
            status=(event.code or 0) if event else 0,
        ),
        "events": (redact(event.raw),) if event else (),
        "fence": f"{event.source}:{event.offset}" if event else "",
    }
    return ProofRecord(**fields | judged)


def _text(value: object) -> str | None:
    """A log that others wrote may hold anything here."""
    return None if value is None else str(value)


def _expected(decision: Decision, attributes: Attributes, event: AuditEvent) -> Expected:
    stages = emitted_stages(attributes, event.code or 0) - decision.omit_stages
    return Expected(
        **rule_fields(decision),
        level=decision.level,
        stages=tuple(in_order(stages)) if decision.level is not Level.NONE else (),
    )
