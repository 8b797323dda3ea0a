"""An offline log as records of a report: each kind of requests, requirement and file is a proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level
from auditproof.audit.explain import explain
from auditproof.audit.redact import redact
from auditproof.audit.stages import emitted_stages, in_order
from auditproof.kube.attributes import Attributes
from auditproof.proof.verdict import Outcome
from auditproof.report.log_lines import counted
from auditproof.report.model import Expected, IdentityRecord, LogFile, LogRecord, Observed, PolicyRef, ProofRecord
from auditproof.report.proof_record import explanation_record, request_record, rule_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditproof.audit.event import AuditEvent
    from auditproof.audit.policy.load import Policy
    from auditproof.auditlog.offline_log import ForeignFile
    from auditproof.proof.offline import OfflineJudge, RequestGroup

SHOWN = 5  # problems of one kind
_NO_ATTRIBUTES = Attributes(user=None, verb="")


def kind_record(kind: RequestGroup, suite: str, policy: Policy) -> ProofRecord:
    """Requests of one kind: every way in which one is recorded otherwise than the policy decides, or that none is."""
    wrong = [f"{count} times: {text}" if count > 1 else text for text, count in kind.wrong.most_common(SHOWN)]
    open_ones = kind.incomplete + ([f"... and {kind.more_incomplete} more requests"] if kind.more_incomplete else [])
    verdict = Outcome.VIOLATED if wrong else Outcome.UNPROVEN if open_ones else Outcome.PROVEN
    users = f"{len(kind.users)} users" if len(kind.users) > 1 else next(iter(kind.users), "") or "nobody"
    requests = "1 request" if kind.requests == 1 else f"{kind.requests} requests"
    title = f"{requests} by {users}: {kind.name.partition('-')[2].partition('-')[2]}"
    decision = kind.decision
    stages = emitted_stages(kind.attributes, kind.example.code or 0) - decision.omit_stages
    return _record(
        f"{suite}::{kind.name}",
        title,
        suite,
        kind.example,
        kind.attributes,
        policy,
        expected=Expected(
            **rule_fields(decision),
            level=decision.level,
            stages=tuple(in_order(stages)) if decision.level is not Level.NONE else (),
        ),
        verdict=verdict,
        reasons=tuple(wrong or open_ones),
        explanation=explanation_record(explain(policy, kind.attributes)),
    )


def file_record(file: ForeignFile, suite: str, policy: Policy) -> ProofRecord:
    """One file: whether all of it are events or lines of another log; anything else may be any event."""
    reasons = []
    for number, text in file.invalid:
        more = file.alike[text] - 1
        reasons.append(f"{file.name}:{number}: {text}" + (f" (and {more} more)" if more else ""))
    if unnamed := file.invalid_lines - file.alike.total():
        reasons.append(f"... and {counted(unnamed, 'more line')}")
    if not file.lines:
        reasons = [f"{file.name} is empty"]
    elif not reasons and not file.events:
        reasons = [f"{file.name} holds no audit event"]
    return _record(
        f"{suite}::lines-of-{file.name}",
        f"Every line of {file.name} is an event",
        suite,
        None,
        None,
        policy,
        line=file.invalid[0][0] if file.invalid else 1,
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


def log_record(files: Sequence[ForeignFile], judgement: OfflineJudge, policy: Policy) -> LogRecord:
    """The section ``log``: what the recorded logs hold, and what cannot be seen in them."""
    return LogRecord(
        files=tuple(map(_log_file, files)),
        first=judgement.first.isoformat() if judgement.first else "",
        last=judgement.last.isoformat() if judgement.last else "",
        requests=sum(kind.requests for kind in judgement.kinds.values()),
        kinds=len(judgement.kinds),
        repeated=judgement.repeated,
        not_seen=tuple(_not_seen(files, judgement, policy)),
    )


def _log_file(file: ForeignFile) -> LogFile:
    return LogFile(
        path=file.name,
        lines=file.lines,
        blank=file.blank,
        events=file.events,
        invalid=file.invalid_lines,
        forms=dict(file.forms),
        others=dict(file.others),
        encodings=file.encodings,
    )


def _not_seen(files: Sequence[ForeignFile], judgement: OfflineJudge, policy: Policy) -> list[str]:
    excluded = sum(rule.level is Level.NONE for rule in policy.rules)
    notes = [
        "Excluded and lost requests leave no event: no log can show that something is not recorded"
        + (f" (rules that exclude: {excluded})" if excluded else ""),
    ]
    lines = [str(policy.rules[number].position.line) for number in judgement.rules_not_seen()]
    if lines:
        named = f"s {', '.join(lines[:-1])} and {lines[-1]}" if len(lines) > 1 else f" {lines[0]}"
        notes.append(f"Rule{'s' * (len(lines) > 1)} without any event: line{named}")
    if invalid := sum(file.invalid_lines for file in files):
        some = "1 line is not a valid event" if invalid == 1 else f"{invalid} lines are not valid events"
        notes.append(f"{some}, and may be any")
    notes += _partial(judgement)
    if judgement.repeated:
        notes.append(f"{counted(judgement.repeated, 'event')} came again (files that overlap?): each was judged once")
    if judgement.truncated:
        be = "was" if judgement.truncated == 1 else "were"
        notes.append(f"{counted(judgement.truncated, 'event')} {be} truncated and lack their bodies")
    return notes


def _partial(judgement: OfflineJudge) -> Iterator[str]:
    """The requests of which a part lies outside of the log."""
    for number, how in (
        (judgement.began_before, "began before the first event"),
        (judgement.go_on, "did not end before the last event"),
        (judgement.undated, "incomplete, without a requestReceivedTimestamp"),
    ):
        if number:
            yield f"{counted(number, 'request')} {how}: only the stages that are there were judged"


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
    value = raw.get("impersonatedUser", {}).get("username")
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
            impersonates=None if value is None else str(value),
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
