"""When a request is over: by its events, by the server's own log, or not to be seen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from auditproof.audit.event import AuditEvent, Level, Stage
from auditproof.client.exchange import Exchange
from auditproof.detections.examples import Through
from auditproof.kube.action import Request
from auditproof.kube.attributes import attributes_of
from auditproof.kube.identity import Identity
from auditproof.proof.completion import audit_id_of, ended_by_server, is_over, why_open

ALICE = Identity.x509("alice")
WATCH, LIST = "/api/v1/pods?watch=true", "/api/v1/pods"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def exchange(uri: str, status: int = 200, *, client: str = "", audit_id: str = "a-1") -> Exchange:
    attributes = attributes_of("GET", uri, ALICE.user_info())
    return Exchange(audit_id, ALICE, Request("GET", uri, client=client), attributes, status, (), b"", NOW, NOW)


def event(stage: Stage) -> AuditEvent:
    return AuditEvent("a-1", Level.METADATA, stage, {}, "log", 0)


def line(audit_id: str, what: str = '"HTTP" verb="WATCH"') -> str:
    return f'I1124 14:00:00.000000   77 httplog.go:134] {what} URI="/x" audit-ID="{audit_id}" srcIP="127.0.0.1:1"\n'


@pytest.mark.parametrize("stage", [Stage.RESPONSE_COMPLETE, Stage.PANIC])
def test_the_last_event_shows_that_a_request_is_over(stage: Stage) -> None:
    """Even after a 504, whose handler goes on, the event at the last stage shows the end."""
    assert is_over(exchange(LIST, 504), [event(Stage.REQUEST_RECEIVED), event(stage)], "")


def test_an_earlier_event_does_not() -> None:
    """ResponseStarted of a watch shows that it began, not that it ended."""
    assert not is_over(exchange(WATCH), [event(Stage.REQUEST_RECEIVED), event(Stage.RESPONSE_STARTED)], "")


def test_the_servers_own_line_shows_it_of_a_long_running_request_alone() -> None:
    assert is_over(exchange(WATCH), [], line("a-0") + line("a-1"))
    assert not is_over(exchange(LIST), [], line("a-1")), "the time-out filter does not wait for the handler"


@pytest.mark.parametrize("log", ["", line("a-11"), line("a-1", '"Timeout or abort"'), '"HTTP"\naudit-ID="a-1"'])
def test_another_line_does_not(log: str) -> None:
    """Neither another request's line, nor the time-out filter's, nor a line that a client made up, shows the end."""
    assert not is_over(exchange(WATCH), [], log)


@pytest.mark.parametrize(
    ("status", "client", "ended"),
    [(200, "", True), (504, "", False), (101, "", False), (200, "hangsUpInAnswer", False)],
)
def test_only_an_answer_that_was_read_to_its_end_may_show_it(status: int, client: str, ended: bool) -> None:
    assert ended_by_server(exchange(LIST, status, client=client)) is ended


def test_why_a_request_may_not_be_over_is_said() -> None:
    """A time-out, a client that hung up and a lost connection have different explanations."""
    reasons = {
        why_open(exchange(LIST, 504)),
        why_open(exchange(LIST, 0, client="hangsUpWaiting")),
        why_open(exchange(LIST)),
    }

    assert len(reasons) == 3


PODS = "/api/v1/namespaces/some/pods"
AGENT = "kube-controller-manager/v1.37.2 (linux/amd64) kubernetes/1/system:serviceaccount:kube-system:"


def created(audit_id: str, *, uri: str = PODS, agent: str = f"{AGENT}replicaset-controller", code: int = 201) -> str:
    return (
        f'I1124 14:00:00.000000   77 httplog.go:134] "HTTP" verb="POST" URI="{uri}" latency="4.2ms" '
        f'userAgent="{agent}" contentType="application/json" '
        f'audit-ID="{audit_id}" srcIP="172.18.0.2:1" apf_pl="workload-high" resp={code}\n'
    )


def test_the_servers_own_log_names_the_accepted_request_of_a_controller() -> None:
    """What it tried before, another controller's request, and one elsewhere are not meant."""
    log = (
        created("refused", code=403)
        + created("other", agent=f"{AGENT}job-controller")
        + created("elsewhere", uri=f"{PODS}/a/binding")
        + created("agent", agent='x" audit-ID="made-up')
        + created("meant", uri=f"{PODS}?timeout=10s")
        + created("second")
        + created("older version").replace(' contentType="application/json"', "")
    )

    assert audit_id_of(Through("replicaset-controller", PODS), log) == "meant"


@pytest.mark.parametrize("log", ["", created("a", code=2010), created("a").replace(" resp=", "\nresp=")])
def test_without_such_a_line_no_request_of_a_controller_is_known(log: str) -> None:
    assert audit_id_of(Through("replicaset-controller", PODS), log) is None
