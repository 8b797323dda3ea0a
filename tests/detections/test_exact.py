"""What is said of a rule over all requests holds for single requests, drawn at random and decided one by one."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import Attributes, UserInfo, decide, load_served
from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.load import parse_policy
from auditproof.detections import (
    And,
    Condition,
    Detection,
    Fed,
    Feed,
    Field,
    Not,
    Operator,
    Or,
    Test,
    check_detections,
    matches,
)
from auditproof.detections.moments import stages_of
from auditproof.errors import Position
from auditproof.kube.request_line import request_line

if TYPE_CHECKING:
    from auditproof.detections.solving import Values

SERVED = load_served("1.37")
ROUNDS = 96
REQUESTS = 60
USERS = {
    "alice": ("system:authenticated",),
    "bob": ("system:authenticated", "developers"),
    "system:kube-proxy": ("system:authenticated",),
    "system:serviceaccount:kube-system:job-controller": (
        "system:serviceaccounts",
        "system:serviceaccounts:kube-system",
        "system:authenticated",
    ),
    "system:anonymous": ("system:unauthenticated",),
}
RESOURCES = [
    ("", "pods", ""),
    ("", "pods", "exec"),
    ("", "secrets", ""),
    ("apps", "deployments", ""),
    ("", "nodes", ""),
]
VERBS = ["get", "list", "watch", "create", "update", "patch", "delete"]
WRITES = ["create", "update", "patch", "delete", "deletecollection"]
NAMESPACES = ["shop", "till", "kube-system"]
PATHS = ["/healthz", "/metrics", "/api"]
LEVELS = ["None", "Metadata", "Request", "RequestResponse"]
CODES = [200, 201, 403, 404, 500]
FLAG = ("requestObject", "spec", "hostPID")
ANSWER = ("responseObject", "kind")


def policies(dice: random.Random) -> bytes:
    """A policy with up to five rules."""
    rules = []
    for _ in range(dice.randint(1, 5)):
        rule: dict[str, Any] = {"level": dice.choice(LEVELS)}
        if dice.random() < 0.4:
            rule["verbs"] = dice.sample(VERBS, 2)
        if dice.random() < 0.3:
            rule["users"] = dice.sample(list(USERS), 2)
        if dice.random() < 0.2:
            rule["userGroups"] = [
                dice.choice(["developers", "system:serviceaccounts:kube-system", "system:authenticated"])
            ]
        if dice.random() < 0.4:
            group, resource, part = dice.choice(RESOURCES)
            rule["resources"] = [{"group": group, "resources": [f"{resource}/{part}" if part else resource]}]
        if dice.random() < 0.2:
            rule["namespaces"] = [dice.choice(NAMESPACES)]
        if dice.random() < 0.3:
            rule["omitStages"] = dice.sample(["RequestReceived", "ResponseStarted", "ResponseComplete"], 1)
        rules.append(rule)
    return json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}).encode()


def simple(dice: random.Random) -> Condition:
    """A test of one field."""
    field, values = dice.choice(
        [
            ("verb", VERBS),
            ("objectRef.resource", ["pods", "secrets", "deployments", "nodes"]),
            ("objectRef.subresource", ["exec"]),
            ("objectRef.namespace", [*NAMESPACES, "elsewhere"]),
            ("objectRef.name", ["web", "db"]),
            ("user.username", ["alice", "carol", "system:kube-proxy", "system:anonymous"]),
            ("user.groups.*", ["developers", "system:authenticated", "admins"]),
            ("responseStatus.code", ["200", "403", "201"]),
            ("requestObject.spec.hostPID", ["true"]),
            ("responseObject.kind", ["Status", "Pod"]),
            ("level", ["Metadata", "Request"]),
            ("stage", ["RequestReceived", "ResponseComplete", "ResponseStarted"]),
            ("userAgent", ["kubectl", "curl"]),
        ]
    )
    operator = dice.choice([Operator.EQUALS, Operator.EQUALS, Operator.EXISTS, Operator.STARTS_WITH])
    if operator is Operator.EXISTS:
        return Test(Field.at(field), operator)
    given = tuple(dice.sample(values, min(len(values), dice.randint(1, 2))))
    if operator is Operator.STARTS_WITH:
        given = tuple(value[:3] for value in given)
    return Test(Field.at(field), operator, given)


def conditions(dice: random.Random, depth: int = 2) -> Condition:
    if depth == 0 or dice.random() < 0.2:
        test = simple(dice)
        return Not(test) if dice.random() < 0.3 else test
    parts = tuple(conditions(dice, depth - 1) for _ in range(dice.randint(2, 3)))
    return Or(parts) if dice.random() < 0.35 else And(parts)


def requests(dice: random.Random) -> tuple[Attributes, dict[str, Any]]:
    """A request that the server serves, and a complete event of it."""
    name = dice.choice([*USERS, None])
    user = UserInfo(name, USERS[name]) if name else None
    free: dict[str, Any] = {"responseStatus": {"code": dice.choice(CODES) if user else 401}}
    if dice.random() < 0.5:
        free["userAgent"] = dice.choice(["kubectl", "curl"])
    if dice.random() < 0.1:
        path = dice.choice(PATHS)
        return Attributes(user, "get", path=path, resource_request=False), free
    group, resource, part = dice.choice(RESOURCES)
    verb = dice.choice(["get", "create"] if part else VERBS)
    namespace = "" if resource == "nodes" else dice.choice([*NAMESPACES, "elsewhere"])
    named = part or verb in ("get", "update", "patch", "delete")
    asked = Attributes(user, verb, namespace, group, "v1", resource, part, dice.choice(["web", "db"]) if named else "")
    if not part and verb in ("create", "update", "patch", "delete") and user:
        free["requestObject"] = {"spec": {"hostPID": True} if dice.random() < 0.5 else {}}
    if not part and user:
        free["responseObject"] = {"kind": dice.choice(["Status", "Pod"])}
    if verb == "create" and not named and user:
        free["filled"] = dice.choice(["web", "db"])
    return asked, free


def event_of(asked: Attributes, free: dict[str, Any], level: Level, stage: Stage) -> dict[str, Any]:
    """The event at a level and a stage, with the whole values of those keys that it lacks beside it in ``unread``."""
    event: dict[str, Any] = {"kind": "Event", "level": str(level), "stage": str(stage), "verb": asked.verb, "user": {}}
    event["requestURI"] = request_line(asked)[1]
    if asked.user:
        event["user"] = {"username": asked.user.name, "groups": list(asked.user.groups)}
    if asked.resource_request:
        keys = ("namespace", "resource", "subresource", "name")
        event["objectRef"] = {key: getattr(asked, key) for key in keys if getattr(asked, key)}
    event |= {key: free[key] for key in ("userAgent",) if key in free}
    if stage is not Stage.REQUEST_RECEIVED:
        event["responseStatus"] = free["responseStatus"]
        if "filled" in free:
            event["objectRef"]["name"] = free["filled"]
        if level >= Level.REQUEST and "requestObject" in free:
            event["requestObject"] = free["requestObject"]
        answered = stage is Stage.RESPONSE_COMPLETE or asked.user is None
        if level is Level.REQUEST_RESPONSE and answered and "responseObject" in free:
            event["responseObject"] = free["responseObject"]
    return event


def surely(condition: Condition, event: dict[str, Any], asked: Attributes, wanted: bool = True) -> bool:
    """Whether the condition is ``wanted`` of the event, whatever a later event or one of a higher level would hold."""
    if isinstance(condition, Not):
        return surely(condition.part, event, asked, not wanted)
    if isinstance(condition, Test):
        return is_read(condition.field.path, event, asked) and matches(condition, event) is wanted
    together = all if isinstance(condition, And) is wanted else any
    return together(surely(part, event, asked, wanted) for part in condition.parts)


def is_read(path: tuple[str, ...], event: dict[str, Any], asked: Attributes) -> bool:
    """Whether the event has everything of this field that the request has."""
    early = event["stage"] == "RequestReceived"
    writes = asked.resource_request and not asked.subresource and asked.verb in WRITES
    if path[0] == "responseStatus":
        return not early
    if path[0] == "requestObject" and writes:
        return bool(asked.user) and not early and event["level"] in ("Request", "RequestResponse")
    if path[0] == "responseObject":
        if not asked.resource_request and not asked.path.startswith("/api"):
            return True
        late = event["stage"] == "ResponseComplete" or asked.user is None
        return late and event["level"] == "RequestResponse"
    if (
        path == ("objectRef", "name")
        and asked.verb in ("create", "update")
        and not asked.name
        and asked.resource_request
    ):
        return not early and bool(asked.user)
    return True


def fires(
    condition: Condition, asked: Attributes, free: dict[str, Any], level: Level, stages: frozenset[Stage]
) -> bool:
    return any(surely(condition, event_of(asked, free, level, stage), asked) for stage in stages)


def ideally(condition: Condition, asked: Attributes, free: dict[str, Any]) -> bool:
    recorded = (Level.METADATA, Level.REQUEST, Level.REQUEST_RESPONSE)
    return any(fires(condition, asked, free, level, stages_of(asked)) for level in recorded)


def filled(values: Values, asked: Attributes) -> dict[str, Any]:
    """The free part of an event that has the values of a witness."""
    free: dict[str, Any] = {"responseStatus": {"code": 200 if asked.user else 401}}
    for field, given in values.of.items():
        if not given:
            continue
        if field.path == ("objectRef", "name"):
            free["filled"] = given[0]
            continue
        inside = free
        for key in field.path[:-1]:
            inside = inside.setdefault(key, {})
        inside[field.path[-1]] = given[0]
    return free


@pytest.mark.parametrize("seed", range(8))
def test_single_requests_agree_with_what_is_said_of_all(seed: int) -> None:
    dice = random.Random(seed)
    counts = dict.fromkeys(Feed, 0)
    for _ in range(ROUNDS // 8):
        policy = parse_policy(policies(dice), "policy.yaml", kubernetes="1.37")
        condition = conditions(dice)
        rule = Detection("rule", "A rule", "own", (condition,), Position("rules.yaml", 1, 1))
        [found] = check_detections(policy, [rule], SERVED)
        counts[found.feed] += 1
        check_witnesses(found, condition)
        for _ in range(REQUESTS):
            asked, free = requests(dice)
            decision = decide(policy, asked)
            left = stages_of(asked) - decision.omit_stages if decision.level is not Level.NONE else frozenset()
            ideal, real = ideally(condition, asked, free), fires(condition, asked, free, decision.level, left)
            about = f"{found.feed}: {condition} of {asked} with {free} under {policy.rules}"
            if found.feed is Feed.FED:
                assert ideal is real, about
            elif found.feed is Feed.BLIND:
                assert not real, about
            elif found.feed is Feed.IMPOSSIBLE:
                assert not ideal, about
    assert all(counts[feed] for feed in (Feed.FED, Feed.PARTLY, Feed.BLIND)), counts


def check_witnesses(found: Fed, condition: Condition) -> None:
    """Every example of a lost request would match if it were recorded as needed, and the example of a fed one does."""
    for lost in found.lost:
        free = filled(lost.values, lost.witness)
        assert ideally(condition, lost.witness, free), f"{condition}: {lost}"
        if not lost.partly:
            assert not fires(condition, lost.witness, free, lost.level, lost.stages), f"{condition}: {lost}"
    if found.witness is not None and found.values is not None:
        assert ideally(condition, found.witness, filled(found.values, found.witness)), f"{condition}: {found}"
