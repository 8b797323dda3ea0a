"""judge: what the log shows decides at once, what it does not show only where nothing casts doubt on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditproof.audit.decide import decide
from auditproof.audit.event import AuditEvent, Level, Stage
from auditproof.audit.policy.load import parse_policy
from auditproof.cases.expectation import Expectation
from auditproof.client.exchange import Exchange
from auditproof.kube.action import Request, path_request
from auditproof.kube.attributes import attributes_of
from auditproof.kube.identity import Identity
from auditproof.proof.verdict import Evidence, Outcome, Verdict, judge

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ALICE = Identity.x509("alice", "developers")
READ = Request("GET", "/api/v1/namespaces/shop/secrets/db")
RECEIVED, STARTED, COMPLETE = Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED, Stage.RESPONSE_COMPLETE
UNSEEN = "the fence was not seen"
ECHO = (("Audit-Id", "id-1"),)


def exchange(status: int = 200, request: Request = READ, identity: Identity = ALICE, **changed: Any) -> Exchange:
    attributes = attributes_of(request.method, request.uri, identity.user_info())
    made = Exchange("id-1", identity, request, attributes, status, ECHO, b"", NOW, NOW)
    return replace(made, **changed)


def event(stage: Stage, level: Level = Level.METADATA, **changed: Any) -> AuditEvent:
    """The event that a server writes about alice's reading of secrets/db; None takes a field away."""
    raw = {
        "stage": str(stage),
        "user": {"username": "alice"},
        "verb": "get",
        "requestURI": READ.uri,
        "requestReceivedTimestamp": NOW.isoformat(),
        "stageTimestamp": (NOW + timedelta(microseconds=list(Stage).index(stage))).isoformat(),
        **({} if stage is RECEIVED else {"responseStatus": {"code": 200}}),
        "objectRef": {"resource": "secrets", "namespace": "shop", "name": "db", "apiVersion": "v1"},
        **changed,
    }
    return AuditEvent("id-1", level, stage, {key: value for key, value in raw.items() if value is not None})


def both(level: Level = Level.METADATA, **changed: Any) -> tuple[AuditEvent, ...]:
    return event(RECEIVED, level), event(COMPLETE, level, **changed)


def evidence(
    events: tuple[AuditEvent, ...] = (),
    rules: str = "[{level: Metadata}]",
    sent: Exchange | None = None,
    doubts: tuple[str, ...] = (),
    omit: str = "[]",
) -> Evidence:
    text = f"rules: {rules}\nomitStages: {omit}\napiVersion: audit.k8s.io/v1\nkind: Policy\n"
    sent = sent or exchange()
    return Evidence(sent, events, decide(parse_policy(text.encode(), "policy.yaml"), sent.attributes), doubts)


def refused(verdict: Verdict, outcome: Outcome, first: str) -> None:
    """The verdict is ``outcome``, and its first reason says ``first``."""
    assert (verdict.outcome, first in verdict.reasons[0]) == (outcome, True), verdict.reasons


def test_what_stands_in_the_log_as_expected_is_proven() -> None:
    verdict = judge(Expectation(), evidence(both()))

    assert (verdict.outcome, verdict.reasons) == (Outcome.PROVEN, ())
    assert (verdict.level, verdict.stages) == (Level.METADATA, {RECEIVED, COMPLETE})


def test_what_is_excluded_and_not_in_the_log_is_proven() -> None:
    verdict = judge(Expectation(level=Level.NONE), evidence(rules="[{level: None}]"))

    assert (verdict.outcome, verdict.reasons, verdict.stages) == (Outcome.PROVEN, (), frozenset())


def test_what_no_rule_matches_is_excluded() -> None:
    """The default of a policy is level None."""
    assert judge(Expectation(), evidence(rules="[{level: Metadata, users: [bob]}]")).outcome is Outcome.PROVEN


def test_a_level_without_any_stage_left_is_excluded() -> None:
    """A rule that records at Metadata, but omits all stages, records nothing."""
    found = evidence(omit="[RequestReceived, ResponseComplete]")

    assert judge(Expectation(), found).outcome is Outcome.PROVEN
    refused(
        judge(Expectation(), replace(found, events=both())),
        Outcome.VIOLATED,
        "recorded at Metadata, expected no event (Metadata, but every stage is omitted)",
    )


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (Level.METADATA, Level.REQUEST),
        (Level.REQUEST, Level.METADATA),
        (Level.REQUEST_RESPONSE, Level.REQUEST),
        (Level.METADATA, Level.REQUEST_RESPONSE),
    ],
    ids=str,
)
@pytest.mark.parametrize("doubts", [(), (UNSEEN,)], ids=["fenced", "unfenced"])
def test_another_level_is_violated_fence_or_no_fence(recorded: Level, expected: Level, doubts: tuple[str, ...]) -> None:
    """An event that is in the log needs no fence: a doubt concerns only what is missing."""
    answer = {"responseObject": {}} if recorded is Level.REQUEST_RESPONSE else {}
    found = evidence(both(recorded, **answer), f"[{{level: {recorded}}}]", doubts=doubts)

    refused(judge(Expectation(level=expected), found), Outcome.VIOLATED, f"recorded at {recorded}, expected {expected}")


def test_beside_a_violation_it_says_that_the_answer_was_not_the_one_that_was_meant() -> None:
    """An unexpected response may be the cause, so it is among the reasons."""
    verdict = judge(Expectation(level=Level.REQUEST, status=201), evidence(both()))

    refused(verdict, Outcome.VIOLATED, "recorded at Metadata, expected Request")
    assert "got HTTP 200, expected 201" in verdict.reasons[-1]


@pytest.mark.parametrize("doubts", [(), (UNSEEN,)], ids=["fenced", "unfenced"])
def test_what_is_excluded_and_in_the_log_is_violated(doubts: tuple[str, ...]) -> None:
    found = evidence(both(), "[{level: None}]", doubts=doubts)

    refused(judge(Expectation(), found), Outcome.VIOLATED, "recorded at Metadata, expected excluded")


def test_what_is_not_in_the_log_is_violated_behind_a_fence() -> None:
    refused(judge(Expectation(), evidence()), Outcome.VIOLATED, "not recorded, expected Metadata")


def test_what_is_not_in_the_log_is_unproven_without_a_fence() -> None:
    """The event may still come: its absence is neither a proof nor a violation."""
    verdict = judge(Expectation(), evidence(doubts=(UNSEEN,)))

    refused(verdict, Outcome.UNPROVEN, UNSEEN)
    assert "not recorded, expected Metadata" in verdict.reasons


def test_what_is_excluded_is_unproven_without_a_fence() -> None:
    """An empty log looks like an exclusion until it is known to be complete."""
    refused(judge(Expectation(), evidence(rules="[{level: None}]", doubts=(UNSEEN,))), Outcome.UNPROVEN, UNSEEN)


def test_what_is_recorded_as_expected_is_still_unproven_with_a_doubt() -> None:
    """Another event of the same action may stand in what could not be read."""
    refused(judge(Expectation(), evidence(both(), doubts=(UNSEEN,))), Outcome.UNPROVEN, UNSEEN)


def test_a_stage_that_is_missing_is_violated_behind_a_fence_only() -> None:
    found = evidence((event(RECEIVED),))
    text = "not recorded at stage ResponseComplete, expected RequestReceived, ResponseComplete"

    refused(judge(Expectation(), found), Outcome.VIOLATED, text)
    refused(judge(Expectation(), replace(found, doubts=(UNSEEN,))), Outcome.UNPROVEN, UNSEEN)


@pytest.mark.parametrize("doubts", [(), (UNSEEN,)], ids=["fenced", "unfenced"])
def test_a_stage_too_many_is_violated(doubts: tuple[str, ...]) -> None:
    found = evidence(both(), omit="[RequestReceived]", doubts=doubts)

    refused(judge(Expectation(), found), Outcome.VIOLATED, "recorded at stage RequestReceived, expected only")


def test_a_stage_that_no_server_reaches_is_none_of_the_servers() -> None:
    """A get that is not long-running has no ResponseStarted: the line was not written by a server."""
    refused(
        judge(Expectation(), evidence((event(RECEIVED), event(STARTED), event(COMPLETE)))),
        Outcome.UNPROVEN,
        "recorded at stage ResponseStarted, which no server reaches with this request",
    )


def test_two_levels_of_one_request_are_none_of_the_servers() -> None:
    """A server evaluates the policy once for each request."""
    refused(
        judge(Expectation(), evidence((event(RECEIVED), event(COMPLETE, Level.REQUEST)))),
        Outcome.UNPROVEN,
        "recorded at two levels",
    )


def test_a_stage_that_the_policy_omits_is_one_too_many() -> None:
    refused(
        judge(Expectation(), evidence(both(), omit="[RequestReceived]")),
        Outcome.VIOLATED,
        "recorded at stage RequestReceived, expected only ResponseComplete",
    )


def test_the_stages_of_a_long_running_request_are_three() -> None:
    """A watch reaches ResponseStarted too, and a missing one is a violation."""
    request = Request("GET", "/api/v1/namespaces/shop/secrets?watch=true")
    reference = {"resource": "secrets", "namespace": "shop", "apiVersion": "v1"}
    watch: dict[str, Any] = {"verb": "watch", "requestURI": request.uri, "objectRef": reference}
    events = tuple(event(stage, **watch) for stage in (RECEIVED, STARTED, COMPLETE))

    assert judge(Expectation(), evidence(events, sent=exchange(request=request))).outcome is Outcome.PROVEN
    refused(
        judge(Expectation(), evidence(events[::2], sent=exchange(request=request))),
        Outcome.VIOLATED,
        "not recorded at stage ResponseStarted",
    )


def test_the_one_stage_of_a_failed_authentication_is_response_started() -> None:
    sent = exchange(401, identity=Identity.bad_token())

    assert (
        judge(Expectation(), evidence((event(STARTED, user={}, responseStatus={"code": 401}),), sent=sent)).outcome
        is Outcome.PROVEN
    )


def test_a_stage_that_is_reached_twice_is_none_of_the_servers() -> None:
    """The timestamps differ, so it is not one line twice: no server completes a request twice."""
    again = event(COMPLETE, stageTimestamp=(NOW + timedelta(milliseconds=1)).isoformat())

    refused(
        judge(Expectation(), evidence((*both(), again))),
        Outcome.UNPROVEN,
        "recorded 2 times at stage ResponseComplete: a server reaches it once",
    )


def test_a_line_that_stands_twice_is_the_logs_fault_and_shows_nothing() -> None:
    """Duplicated lines are UNPROVEN, not VIOLATED: the policy did not cause them."""
    refused(
        judge(Expectation(), evidence((*both(), event(COMPLETE)))),
        Outcome.UNPROVEN,
        "the log holds the same event 2 times (stage ResponseComplete): a server writes each once",
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"user": {"username": "mallory"}}, "names user 'mallory', auditproof computed 'alice'"),
        ({"user": None}, "names user '', auditproof computed 'alice'"),
        ({"verb": "list"}, "names verb 'list', auditproof computed 'get'"),
        ({"objectRef": None}, "names resource '', auditproof computed 'secrets'"),
        ({"objectRef": {"resource": "pods", "namespace": "shop", "name": "db"}}, "names resource 'pods'"),
        ({"objectRef": {"resource": "secrets", "namespace": "bank", "name": "db"}}, "names namespace 'bank'"),
        ({"objectRef": {"resource": "secrets", "namespace": "shop", "name": "key"}}, "names name 'key'"),
        (
            {"objectRef": {"resource": "secrets", "subresource": "x", "namespace": "shop", "name": "db"}},
            "names subresource 'x'",
        ),
        (
            {"objectRef": {"resource": "secrets", "apiGroup": "x", "namespace": "shop", "name": "db"}},
            "names apiGroup 'x'",
        ),
    ],
)
def test_an_event_about_something_else_shows_nothing(changed: dict[str, Any], reason: str) -> None:
    """No policy makes a server write another user or verb than it has seen: something has changed the event."""
    refused(judge(Expectation(), evidence(both(**changed))), Outcome.UNPROVEN, reason)


def test_a_name_that_the_server_took_from_the_object_is_no_contradiction() -> None:
    """A create has no name in its path; the server fills it in when it reads the body (LogRequestObject)."""
    request = Request("POST", "/api/v1/namespaces/shop/secrets", body=b"{}")
    without_name = {"resource": "secrets", "namespace": "shop", "apiVersion": "v1"}
    events = (
        event(RECEIVED, verb="create", requestURI=request.uri, objectRef=without_name),
        event(COMPLETE, verb="create", requestURI=request.uri, responseStatus={"code": 201}),
    )

    assert judge(Expectation(), evidence(events, sent=exchange(201, request))).outcome is Outcome.PROVEN


@pytest.mark.parametrize("field", ["requestObject", "responseObject"])
def test_a_body_beyond_the_level_is_none_of_the_servers(field: str) -> None:
    """No policy makes a server write a body at level Metadata."""
    refused(
        judge(Expectation(), evidence(both(**{field: {"data": {}}}))),
        Outcome.UNPROVEN,
        f"the event at level Metadata holds a {field}",
    )


def test_a_case_that_disagrees_with_the_policy_is_violated_whatever_is_recorded() -> None:
    """The second oracle: what auditproof computes from the policy counts as much as what the case says."""
    as_decided = judge(Expectation(level=Level.REQUEST), evidence(both(Level.METADATA)))
    as_stated = judge(Expectation(level=Level.REQUEST), evidence(both(Level.REQUEST)))

    refused(as_decided, Outcome.VIOLATED, "recorded at Metadata, expected Request")
    refused(as_stated, Outcome.VIOLATED, "recorded at Request, but the policy decides Metadata by rule 1 (line 1)")


def test_what_is_excluded_as_the_case_says_but_the_policy_records_is_violated() -> None:
    """A case that contradicts its policy must not pass because the server does not run the policy."""
    excluded = Expectation(level=Level.NONE)

    refused(
        judge(excluded, evidence()),
        Outcome.VIOLATED,
        "not recorded, but the policy decides Metadata by rule 1 (line 1): either the server does not run this policy",
    )
    refused(judge(excluded, evidence(doubts=(UNSEEN,))), Outcome.UNPROVEN, UNSEEN)


def test_stages_as_the_case_says_but_not_as_the_policy_does_are_violated() -> None:
    """The log agrees with the case and not with the policy: one of the two is wrong about the server."""
    one, two = Expectation(stages=frozenset({COMPLETE})), Expectation(stages=frozenset({RECEIVED, COMPLETE}))

    refused(
        judge(one, evidence((event(COMPLETE),))),
        Outcome.VIOLATED,
        "not recorded at stage RequestReceived, but the policy decides Metadata by rule 1 (line 1)",
    )
    refused(
        judge(two, evidence(both(), omit="[RequestReceived]")),
        Outcome.VIOLATED,
        "recorded at stage RequestReceived, but the policy decides Metadata by rule 1 (line 1) without it",
    )


@pytest.mark.parametrize(
    ("changed", "doubt"),
    [
        ({"status": 0, "error": "ProtocolError: Connection broken"}, "no complete response: ProtocolError"),
        ({"status": 0}, "no complete response: no status"),
        ({"status": 429}, "got HTTP 429: it can be sent before the policy is consulted"),
        ({"status": 503}, "got HTTP 503"),
        ({"status": 504}, "got HTTP 504"),
        ({"headers": ()}, "got HTTP 200 without the Audit-ID that was sent"),
        ({"status": 417, "headers": ()}, "got HTTP 417 without the Audit-ID that was sent"),
        ({"status": 500}, "got HTTP 500, possibly from a filter that runs before the policy is consulted"),
        ({"headers": (("audit-id", "other"),)}, "the response has Audit-ID other, but id-1 was sent"),
    ],
)
def test_an_answer_that_settles_nothing_makes_an_absence_unproven(changed: dict[str, Any], doubt: str) -> None:
    """The response may have been sent before the policy was consulted."""
    found = evidence(rules="[{level: None}]", sent=exchange(**changed))

    refused(judge(Expectation(), found), Outcome.UNPROVEN, doubt)


@pytest.mark.parametrize(("status", "outcome"), [(204, Outcome.UNPROVEN), (401, Outcome.PROVEN), (403, Outcome.PROVEN)])
def test_of_options_only_the_answer_of_a_preflight_may_come_before_the_policy(status: int, outcome: Outcome) -> None:
    """The CORS filter ends a preflight with 204 before the audit, and no other OPTIONS request."""
    found = evidence(rules="[{level: None}]", sent=exchange(request=path_request("OPTIONS", "/version"), status=status))

    assert judge(Expectation(), found).outcome is outcome


def test_another_answer_than_the_case_says_is_unproven() -> None:
    """The action did something else than the case is about, so its event proves nothing about the case."""
    verdict = judge(Expectation(status=403), evidence(both()))

    refused(verdict, Outcome.UNPROVEN, "got HTTP 200, expected 403: the test did not do what it was meant to")


def test_a_busy_answer_that_the_case_asks_for_is_proven() -> None:
    """A case may be about an overloaded server: then 503 is no doubt."""
    busy = event(RECEIVED), event(COMPLETE, responseStatus={"code": 503})

    assert judge(Expectation(status=503), evidence(busy, sent=exchange(503))).outcome is Outcome.PROVEN


def test_the_fields_of_the_last_event_are_held_against_the_case() -> None:
    request = Request("POST", READ.uri, body=b"{}")
    raw = {"verb": "create", "requestURI": request.uri}
    events = (
        event(RECEIVED, Level.REQUEST, **raw),
        event(COMPLETE, Level.REQUEST, **raw, requestObject={"items": [{"name": "db"}]}),
    )
    found = evidence(events, "[{level: Request}]", exchange(request=request))

    kept = Expectation(present=("requestObject", "requestObject.items.0.name", "user.username"))
    assert judge(kept, found).outcome is Outcome.PROVEN
    refused(
        judge(Expectation(present=("requestObject.items.1",)), found),
        Outcome.VIOLATED,
        "the event has no requestObject.items.1, expected one",
    )
    refused(
        judge(Expectation(absent=("requestObject.items",)), found),
        Outcome.VIOLATED,
        "the event has requestObject.items, expected none",
    )


def test_a_field_that_is_missing_says_nothing_while_the_last_event_may_be_unread() -> None:
    """The body of a request is in the last event: the first alone cannot violate what is said about it."""
    found = evidence((event(RECEIVED, Level.REQUEST),), "[{level: Request}]", doubts=(UNSEEN,))

    refused(judge(Expectation(present=("requestObject",)), found), Outcome.UNPROVEN, UNSEEN)
    refused(
        judge(Expectation(present=("requestObject",)), replace(found, doubts=())),
        Outcome.VIOLATED,
        "not recorded at stage ResponseComplete",
    )


BODY = Request("POST", "/api/v1/namespaces/shop/secrets", body=b"{}")


@pytest.mark.parametrize(
    ("stated", "key"),
    [
        ({"present": ("requestObject",)}, "present"),
        ({"event": {"verb": "get"}}, "event"),
        ({"stages": frozenset({COMPLETE})}, "stages"),
    ],
)
def test_what_a_case_says_of_an_event_is_violated_where_there_is_none(stated: dict[str, Any], key: str) -> None:
    """Fields or stages that a case states would otherwise pass unchecked without an event."""
    refused(
        judge(Expectation(**stated), evidence(rules="[{level: None}]")),
        Outcome.VIOLATED,
        f"not recorded, so there is no event to compare with the case's {key}",
    )


def test_a_level_without_stages_is_not_proven_by_a_policy_that_decides_another_level() -> None:
    """Without stages there is no event to show the level, so the policy's decision is compared."""
    stated = Expectation(level=Level.METADATA, stages=frozenset())

    assert judge(stated, evidence(omit="[RequestReceived, ResponseComplete]")).outcome is Outcome.PROVEN
    refused(
        judge(stated, evidence(rules="[{level: None}]")),
        Outcome.VIOLATED,
        "not recorded, expected Metadata: the policy decides None by rule 1 (line 1)",
    )


def test_a_log_that_is_not_sound_shows_neither_a_proof_nor_a_violation() -> None:
    """Whatever the log holds: a wrong number of lines makes all of it unreliable."""
    fewer = "the log holds 4 fewer events than the server has counted"
    for found in (evidence(both()), evidence(both(Level.REQUEST)), evidence((event(RECEIVED),)), evidence()):
        refused(judge(Expectation(), replace(found, unsound=(fewer,))), Outcome.UNPROVEN, fewer)


def test_events_under_an_id_that_did_not_come_back_violate_nothing() -> None:
    """Something else may have sent a request with this Audit-ID."""
    found = evidence(both(Level.REQUEST), sent=exchange(502, headers=()))

    verdict = judge(Expectation(), found)

    refused(verdict, Outcome.UNPROVEN, "got HTTP 502 without the Audit-ID that was sent")
    assert "recorded at Request, expected Metadata" in verdict.reasons


@pytest.mark.parametrize("over", [True, False])
def test_an_answer_to_an_upgrade_names_no_audit_id_so_the_log_must(over: bool) -> None:
    """It is the kubelet's answer that comes back (pkg/util/proxy/upgradeaware.go)."""
    request = Request("GET", "/api/v1/namespaces/shop/pods/web/exec", upgrade="websocket")
    sent = exchange(101, request, headers=())
    found = replace(evidence(rules="[{level: None}]", sent=sent), over=over)

    assert judge(Expectation(), found).outcome is (Outcome.PROVEN if over else Outcome.UNPROVEN)


def test_lines_in_another_order_are_the_logs_fault() -> None:
    refused(
        judge(Expectation(), evidence((event(COMPLETE), event(RECEIVED)))),
        Outcome.UNPROVEN,
        "the event at stage RequestReceived is older than the one before it",
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"requestReceivedTimestamp": (NOW - timedelta(hours=1)).isoformat()},
        {"requestReceivedTimestamp": None},
        {"stageTimestamp": "yesterday"},
        {"stageTimestamp": (NOW + timedelta(hours=1)).isoformat()},
    ],
    ids=str,
)
def test_an_event_of_another_time_is_not_relied_on(changed: dict[str, Any]) -> None:
    """An event from before or after the exchange is of another request with the same Audit-ID."""
    assert judge(Expectation(), evidence(both(**changed))).outcome is Outcome.UNPROVEN


def test_a_level_promises_the_body_of_an_accepted_request() -> None:
    """A missing body is a fault of the log, unless the event is marked as truncated by the server."""
    raw = {"verb": "create", "requestURI": BODY.uri, "responseStatus": {"code": 201}}
    bare = event(RECEIVED, Level.REQUEST, verb="create", requestURI=BODY.uri), event(COMPLETE, Level.REQUEST, **raw)
    cut = event(COMPLETE, Level.REQUEST, **raw, annotations={"audit.k8s.io/truncated": "true"})
    found = evidence(bare, "[{level: Request}]", exchange(201, BODY))
    text = "the event at level Request has no requestObject, which that level promises"

    refused(judge(Expectation(), found), Outcome.UNPROVEN, text)
    truncated = replace(found, events=(bare[0], cut))
    refused(judge(Expectation(), truncated), Outcome.VIOLATED, "the server has truncated it")
    assert judge(Expectation(absent=("requestObject",)), truncated).outcome is Outcome.PROVEN
    assert judge(Expectation(), replace(found, own_api=False)).outcome is Outcome.PROVEN


def test_where_nobody_can_say_what_is_lost_only_what_is_all_there_is_proven() -> None:
    """Without counters a complete set of events is a proof, and any absence is UNPROVEN."""
    unclear = "the server's audit counters cannot be read"
    whole, half, none = evidence(both()), evidence((event(RECEIVED),)), evidence(rules="[{level: None}]")

    assert judge(Expectation(), replace(whole, unclear=unclear)).outcome is Outcome.PROVEN
    for found in (half, none, evidence()):
        refused(judge(Expectation(), replace(found, unclear=unclear)), Outcome.UNPROVEN, unclear)


@pytest.mark.parametrize(("omitted", "recorded"), [("ResponseComplete", RECEIVED), ("RequestReceived", COMPLETE)])
def test_a_stage_that_is_rightly_absent_is_an_absence_too(omitted: str, recorded: Stage) -> None:
    """Another policy may have recorded it, and the line be lost: only counters could tell."""
    unclear = "the server's audit counters cannot be read"
    found = evidence((event(recorded),), f"[{{level: Metadata, omitStages: [{omitted}]}}]")

    assert judge(Expectation(), found).outcome is Outcome.PROVEN
    refused(judge(Expectation(), replace(found, unclear=unclear)), Outcome.UNPROVEN, unclear)


def test_another_status_is_named_with_the_code_that_was_recorded() -> None:
    """A status without a reason, such as that of a dropped request, is explained by its code."""
    wanted = Expectation(Level.METADATA, event={"responseStatus": {"reason": "Timeout"}})

    verdict = judge(wanted, evidence(both(responseStatus={"code": 409}), sent=exchange(status=409)))

    refused(verdict, Outcome.VIOLATED, 'reason is absent, expected "Timeout" (it records code 409)')
