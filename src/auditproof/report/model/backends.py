"""What the audit backends delivered to the reader."""

from pydantic import Field

from auditproof.proof.verdict import Outcome
from auditproof.report.model.values import Count, Integer, Number, Record, Texts


class Deliveries(Record):
    """What happened to the events of a number of requests: performed = recorded + lost + unproven."""

    performed: Count
    recorded: Count = Field(description="all their events are there")
    lost: Count = Field(description="one of their events will certainly never arrive")
    unproven: Count = Field(description="neither can be shown")


class BackendAccount(Deliveries):
    """What happened to one batch of requests."""

    refused: Count = Field(description="not served, because they could not be recorded")
    events: Integer | None = Field(description="apiserver_audit_event_total")
    errors: dict[str, Integer] = Field(description="apiserver_audit_error_total by plugin")
    lines: Integer | None = Field(description="in the log; null where it cannot be read to its end")
    answers: dict[str, Integer] = Field(description="HTTP statuses; 0 for no response")
    slowest_seconds: Number
    why: str = Field(description="why the lost ones are certain, or why nothing is")


class BackendLoad(Record):
    """What a backend in a mode sustained."""

    backend: str
    mode: str
    events_per_second: Number
    requests_per_second: Number
    median_milliseconds: Number
    p99_milliseconds: Number
    events: Integer
    lost: Integer


class BackendTest(Deliveries):
    """One test of a server with backends of its own; the counts are the sums of its accounts."""

    id: str
    title: str
    suite: str
    line: Integer
    flags: dict[str, str]
    verdict: Outcome
    reason: str
    accounts: tuple[BackendAccount, ...]
    facts: Texts = Field(description="what was measured")


class BackendsRecord(Deliveries):
    """What the audit backends delivered to the reader."""

    not_performed: Texts = Field(description="ids of tests that were planned and not reached")
    load: tuple[BackendLoad, ...] = Field(description="what each backend and mode sustained in this run")
    tests: tuple[BackendTest, ...]
