"""Whole logs: counters, background volume, and recorded events that were judged."""

from pydantic import Field

from auditproof.audit.event import Level
from auditproof.report.model.values import Amount, Count, Flag, Integer, Line, Record, Texts


class ServerCount(Record):
    """The audit counters of one API server, compared with its whole log."""

    policy: str = Field(description="the policy that the server runs")
    events: Count = Field(description="apiserver_audit_event_total")
    lost: Count = Field(description="apiserver_audit_error_total, without those of a webhook")
    lines: Count = Field(description="events in the log at the moment of the counters")
    levels: dict[str, Integer] = Field(
        description="apiserver_audit_level_total by level; None are the requests that were excluded"
    )
    holds: Flag | None = Field(description="lines = events - lost; null: could not be counted")
    reason: str = Field(description="what does not add up, or why nothing could be counted")


class NoiseShare(Record):
    """Events and bytes, and events per second."""

    events: Count
    bytes: Count
    events_per_second: Amount


class NoiseComponent(NoiseShare):
    """The share of one client."""

    user: str
    program: str = Field(description="the first word of the User-Agent")


class NoiseRule(NoiseShare):
    """The share of one rule; null where the rule is not known."""

    rule: Count | None
    line: Line | None
    level: Level | None


class NoiseRecord(NoiseShare):
    """What the server with the given policy recorded besides the requests of the run."""

    seconds: Amount
    components: tuple[NoiseComponent, ...] = Field(description="by client, largest first")
    rules: tuple[NoiseRule, ...] = Field(description="by deciding rule, largest first")
    reactions: NoiseShare = Field(description="of controllers, in namespaces of the run; not counted above")


class LogFile(Record):
    """A file of recorded events."""

    path: str
    lines: Count
    events: Count
    invalid: Count = Field(description="what is no event that can be judged, and may be any")
    blank: Count = Field(default=0, description="blank lines")
    forms: dict[str, Count] = Field(default={}, description="events by the form in which they were found")
    others: dict[str, Count] = Field(default={}, description="what certainly belongs to another log, by log")
    encodings: Texts = Field(default=(), description="what was decompressed or decoded")


class LogRecord(Record):
    """Recorded events that were judged; no request was sent."""

    files: tuple[LogFile, ...]
    first: str = Field(description="time of the first event")
    last: str
    requests: Count
    kinds: Count = Field(default=0, description="of requests")
    repeated: Count = Field(default=0, description="events that came again, and were judged once")
    not_seen: Texts = Field(description="what these files cannot show, in words")
