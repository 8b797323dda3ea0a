"""The gauntlet's own judgement: what it calls wrong, and that its faults are faults. No server."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.event import Level
from auditproof.audit.policy.load import parse_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.client.exchange import Exchange
from auditproof.kube.action import path_request
from auditproof.kube.identity import Identity
from auditproof.proof.verdict import Outcome
from auditproof.wait import wait_until
from tests.gauntlet import lies
from tests.gauntlet.cases import policy_text
from tests.gauntlet.edits import EDITS
from tests.gauntlet.events import ACTION, Line
from tests.gauntlet.plan import plan_of
from tests.gauntlet.reader import Reader
from tests.gauntlet.truth import Between, Forwarded, Grade, Truth, truth_about

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.kube.action import Request

POLICY = parse_policy(b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n", "policy.yaml")
SILENT = parse_policy(
    b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
    b"- {level: None, nonResourceURLs: [/version]}\n- level: Metadata\n",
    "policy.yaml",
)  # about the action, not about what the server asks of itself
NOTHING = parse_policy(b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n", "policy.yaml")
NAME = "auditproof-1"


def event(stage: str, **more: Any) -> dict[str, Any]:
    times = {"requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z", "stageTimestamp": "2026-01-01T00:00:00.000001Z"}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": NAME,
        "stage": stage,
        "requestURI": "/version",
        "verb": "get",
        "user": {"username": "alice", "groups": ["system:authenticated"]},
        "userAgent": "auditproof/run-1-1",
        **times,
        **more,
    }


BOTH = [event("RequestReceived"), event("ResponseComplete", responseStatus={"code": 200})]


def graded(
    outcome: Outcome,
    events: list[dict[str, Any]],
    *,
    policy: Any = POLICY,
    between: Between | None = None,
    expect: Expectation | None = None,
) -> Grade:
    step = Case("run-1-1", Identity.x509("alice"), _request(), expect or Expectation())
    now = datetime.now(UTC)
    exchange = Exchange(
        audit_id=NAME,
        identity=step.identity,
        request=step.request,
        attributes=step.attributes,
        status=200,
        headers=(("Audit-Id", NAME),),
        body=b"",
        started=now,
        finished=now,
    )
    return truth_about(step, exchange, between, {NAME: events}, policy).grade(outcome)[0]


def _request() -> Request:
    return path_request("GET", "/version")


def came(**more: Any) -> Between:
    sent = Forwarded(NAME, NAME, same=True, status=200, echo=True)
    return Between(forwarded=[replace(sent, **more)])


@pytest.mark.parametrize(
    ("outcome", "events", "expect", "grade"),
    [
        (Outcome.PROVEN, BOTH, Expectation(), Grade.RIGHT),
        (Outcome.VIOLATED, BOTH, Expectation(), Grade.WRONG),
        (Outcome.PROVEN, BOTH[:1], Expectation(), Grade.WRONG),
        (Outcome.PROVEN, [*BOTH, BOTH[1]], Expectation(), Grade.WRONG),
        (Outcome.PROVEN, [], Expectation(), Grade.WRONG),
        (Outcome.VIOLATED, [], Expectation(), Grade.RIGHT),
        (Outcome.PROVEN, BOTH, Expectation(level=Level.REQUEST), Grade.WRONG),
        (Outcome.VIOLATED, BOTH, Expectation(level=Level.REQUEST), Grade.RIGHT),
        (Outcome.PROVEN, BOTH, Expectation(present=("requestObject",)), Grade.WRONG),
        (Outcome.PROVEN, BOTH, Expectation(event={"verb": "list"}), Grade.WRONG),
        (Outcome.PROVEN, BOTH, Expectation(status=403), Grade.WRONG),
        (Outcome.UNPROVEN, BOTH, Expectation(status=403), Grade.VOID),
        (Outcome.UNPROVEN, BOTH, Expectation(), Grade.UNPROVEN),
    ],
)
def test_a_verdict_is_held_against_the_server_s_own_log(
    outcome: Outcome, events: list[dict[str, Any]], expect: Expectation, grade: Grade
) -> None:
    assert graded(outcome, events, expect=expect) is grade


@pytest.mark.parametrize(
    ("outcome", "between", "policy", "grade"),
    [
        (Outcome.PROVEN, came(), NOTHING, Grade.RIGHT),
        (Outcome.PROVEN, Between(), NOTHING, Grade.WRONG),
        (Outcome.VIOLATED, Between(), POLICY, Grade.WRONG),
        (Outcome.UNPROVEN, Between(), POLICY, Grade.VOID),
        (Outcome.PROVEN, Between(forged={NAME}), SILENT, Grade.WRONG),
        (Outcome.PROVEN, Between(forged={NAME}), NOTHING, Grade.BEYOND),
        (Outcome.PROVEN, Between(noise=True, forged={NAME}), NOTHING, Grade.BEYOND),
        (Outcome.PROVEN, came(same=False), NOTHING, Grade.BEYOND),
        (Outcome.PROVEN, came(same=False), POLICY, Grade.WRONG),
        (Outcome.VIOLATED, came(same=False), POLICY, Grade.BLAMED),
        (Outcome.PROVEN, came(echo=False), NOTHING, Grade.WRONG),
    ],
)
def test_a_verdict_is_held_against_what_came_to_the_server(
    outcome: Outcome, between: Between, policy: Any, grade: Grade
) -> None:
    assert graded(outcome, [], policy=policy, between=between) is grade


@pytest.mark.parametrize(
    ("agent", "seconds", "grade"),
    [("kube-apiserver/v1.37", 0.5, Grade.BEYOND), ("kube-apiserver/v1.37", 5, Grade.WRONG), (ACTION, 0.5, Grade.WRONG)],
)
def test_what_others_ask_at_the_same_time_may_make_up_for_an_answer_that_a_proxy_made_up(
    agent: str, seconds: float, grade: Grade
) -> None:
    moment = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    other = event("ResponseComplete", userAgent=agent, requestReceivedTimestamp=moment, stageTimestamp=moment)

    assert graded(Outcome.VIOLATED, [other], between=Between(forged={NAME})) is grade


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_an_event(name: str) -> None:
    before = event("ResponseComplete", responseStatus={"code": 418}, objectRef={})
    after = json.loads(json.dumps(before))

    EDITS[name](after, Random(1), {})

    assert after != before


@pytest.mark.parametrize("kind", [kind for kind in lies.KINDS if kind not in ("delay", "rotate")])
def test_a_log_reader_hands_on_something_else(kind: str, tmp_path: Path) -> None:
    lines = [event("RequestReceived"), event("ResponseComplete", responseStatus={"code": 418})]
    lines += [replace_id(each, "auditproof-2") for each in lines]
    lines.append(event("RequestReceived", auditID="auditproof-3", userAgent="auditproof/fence"))

    assert copied(tmp_path, lines, kind) != text_of(lines)


def test_a_log_reader_without_a_fault_hands_on_what_there_is(tmp_path: Path) -> None:
    lines = [*BOTH, event("ResponseComplete", userAgent="auditproof/fence")]

    assert copied(tmp_path, lines, "") == text_of(lines)


def replace_id(one: dict[str, Any], name: str) -> dict[str, Any]:
    return {**one, "auditID": name}


def text_of(events: list[dict[str, Any]]) -> bytes:
    return b"".join(Line(b"", {}).changed(each).text for each in events)


def copied(folder: Path, events: list[dict[str, Any]], kind: str) -> bytes:
    """What a reader with a fault makes of a log."""
    source, target = folder / "true.log", folder / "audit.log"
    source.write_bytes(b"")
    faults = [lies.KINDS[kind](Random(3), 1.0, lies.ABOUT["all"])] if kind else []
    reader = Reader(source, target, faults)
    with source.open("ab") as log:
        log.write(text_of(events))
    wait_until(lambda: reader.at_end or None, what="the reader to come to the end", timeout_s=5)
    reader.close()
    return target.read_bytes()


def test_a_run_is_the_same_whenever_it_is_had() -> None:
    plans = [[str(plan_of(7, n)) for n in range(50)] for _ in range(2)]
    policies = [policy_text(Random(7)) for _ in range(2)]

    assert plans[0] == plans[1]
    assert policies[0] == policies[1]
    assert len(set(plans[0])) > 30
    assert 0 < sum(plan_of(7, n).control for n in range(200)) < 100


@pytest.mark.parametrize(
    ("stage", "seen", "grade"),
    [
        ("ResponseStarted", ["ResponseComplete"], Grade.BEYOND),
        ("ResponseComplete", ["ResponseStarted"], Grade.BEYOND),
        ("ResponseStarted", ["Panic"], Grade.WRONG),
        ("ResponseStarted", ["ResponseStarted"], Grade.WRONG),
        ("ResponseStarted", ["ResponseStarted", "ResponseComplete"], Grade.WRONG),
        ("", ["ResponseComplete"], Grade.WRONG),
    ],
)
def test_only_a_stage_that_was_moved_within_the_response_is_out_of_reach(
    stage: str, seen: list[str], grade: Grade
) -> None:
    truth = Truth("", exchangeable=stage)

    assert truth.grade(Outcome.VIOLATED, seen)[0] is grade
    assert truth.grade(Outcome.PROVEN, seen)[0] is Grade.RIGHT
