"""Random policies and random actions on them, each out of a random.Random: the same seed makes the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditproof.audit.decide import decide
from auditproof.audit.event import Level, Stage
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.action import act, path_request, to_request
from auditproof.kube.identity import Identity, IdentityKind, Impersonation

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from auditproof.audit.decide import Decision
    from auditproof.audit.policy.load import Policy
    from auditproof.kube.action import Request

SPACE = "gauntlet"
LEVELS = [str(level) for level in Level]
GIVEN: tuple[dict[str, Any], ...] = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}},
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours", "namespace": SPACE}, "data": {"a": "b"}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": SPACE}},
)
PODS: tuple[dict[str, Any], ...] = (
    GIVEN[0],
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": SPACE}},
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": SPACE},
        "spec": {"nodeName": "<node>", "containers": [{"name": "main", "image": "<pod-image>"}]},
    },
)
IDENTITIES = (
    Identity.x509("alice", "dev"),
    Identity(IdentityKind.X509, "bob", ("dev", "ops"), without_rights=True),
    Identity.service_account(SPACE, "robot"),
    Identity(IdentityKind.X509, "deputy", impersonates=Impersonation("carol", ("ops",))),
    Identity.anonymous(),
    Identity.bad_token(),
)
_USERS = ["alice", "bob", f"system:serviceaccount:{SPACE}:robot", "deputy", "system:anonymous"]
_GROUPS = ["dev", "ops", "system:authenticated", "system:unauthenticated", "system:serviceaccounts"]
_VERBS = ["get", "list", "create", "update", "patch", "delete", "watch"]
_RESOURCES = ["configmaps", "secrets", "pods", "pods/*", "pods/log", "namespaces", "*/status"]
_PATHS = ["/version", "/healthz*", "/api*", "/no/*"]
_STAGES = ["RequestReceived", "ResponseStarted", "ResponseComplete"]
_FIELDS = ["requestObject", "responseObject", "responseStatus.code", "requestObject.metadata.name", "impersonatedUser"]
_STATUSES = [200, 201, 401, 403, 404, 500, 502]


def policy_text(random: Random, flavour: str = "mixed") -> str:
    """A policy's file; of the flavour ``nothing`` it records nothing at all."""
    if flavour == "nothing":
        rules: list[dict[str, Any]] = [{"level": "None"}]
    else:
        rules = [_rule(random) for _ in range(random.randint(3, 7))]
        rules.append({"level": random.choice(["None", "Metadata", "Metadata", "Request", "RequestResponse"])})
    omitted = random.choice([[], [], ["RequestReceived"]])
    return json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": omitted, "rules": rules})


def _rule(random: Random) -> dict[str, Any]:
    rule: dict[str, Any] = {"level": random.choice(LEVELS)}
    if random.random() < 0.3:
        rule["omitStages"] = _some(random, _STAGES)
    for key, values in (("users", _USERS), ("userGroups", _GROUPS), ("verbs", _VERBS)):
        if random.random() < 0.3:
            rule[key] = _some(random, values)
    if random.random() < 0.2:
        rule["nonResourceURLs"] = _some(random, _PATHS)
    elif random.random() < 0.6:
        rule["resources"] = [{"group": "", "resources": _some(random, _RESOURCES)}]
    return rule


def _some(random: Random, values: list[str]) -> list[str]:
    return random.sample(values, random.randint(1, 2))


def steps(random: Random, number: int, judged: Policy, count: int, *, pods: bool = False) -> list[Case]:
    """The actions of the run with this ``number``, each with an expectation that may be wrong on purpose."""
    made = []
    for n in range(count):
        name = f"run-{number}-{n}"
        identity = random.choice(IDENTITIES[:2] if pods else IDENTITIES)
        request = random.choice(_ON_PODS if pods else _REQUESTS)(name)
        bare = Case(name, identity, request, Expectation(), PODS if pods else GIVEN)
        decision = decide(judged, bare.attributes)
        made.append(Case(name, identity, request, _expectation(random, decision, bare), bare.given))
    return made


def _on(verb: str, target: str, **options: Any) -> Callable[[str], Request]:
    return lambda name: to_request(act(verb, target.format(name=name), SPACE, **options))


def _path(method: str, path: str, *headers: tuple[str, str]) -> Callable[[str], Request]:
    return lambda _: path_request(method, path, headers)


_REQUESTS: tuple[Callable[[str], Request], ...] = (
    _on("get", "configmaps/colours"),
    _on("get", "secrets/db"),
    _on("get", "secrets/absent"),
    _on("list", "configmaps"),
    _on("list", "pods"),
    _on("get", "pods/absent/log"),
    _on("create", "configmaps/{name}"),
    _on("create", "secrets/{name}"),
    _on("create", "configmaps/{name}", query={"dryRun": "All"}),
    _on("update", "configmaps/colours"),
    _on("patch", "configmaps/colours"),
    _on("delete", "configmaps/{name}"),
    _on("watch", "secrets"),
    _path("GET", "/version"),
    _path("GET", "/healthz/ping"),
    _path("GET", "/no/such/path"),
    _path("GET", f"/api/v1/namespaces/{SPACE}"),
    _path("HEAD", "/api"),
    _path("GET", "/version", ("Expect", "something")),  # answered by net/http, which knows of no policy
)
_COMMAND = {"command": "id", "stdout": "true"}
_ON_PODS: tuple[Callable[[str], Request], ...] = (
    _on("get", "pods/web/log"),
    _on("get", "pods/web/exec", query=_COMMAND, upgrade="websocket"),
    _on("create", "pods/web/exec", query=_COMMAND, upgrade="spdy"),
    _on("get", "pods/web/attach", query={"stdout": "true"}, upgrade="websocket"),
    _on("get", "pods/web/proxy"),
    _on("get", "pods/web"),
    _path("GET", "/api/v1/nodes/<node>/proxy/stats"),
)


def _expectation(random: Random, decision: Decision, step: Case) -> Expectation:
    status = random.choice(_STATUSES) if random.random() < 0.15 else None
    drawn = random.random()
    if decision.level is not Level.NONE and len(decision.omit_stages) > 1:
        drawn = 0.0  # every stage may be omitted: nobody can tell a level then
    if drawn < 0.35:
        return Expectation(status=status)
    if drawn < 0.6:
        return Expectation(level=decision.level, status=status)
    if drawn < 0.75:
        return Expectation(level=random.choice(list(Level)), status=status)
    if drawn < 0.85:
        return Expectation(stages=frozenset(map(Stage, random.sample(_STAGES, random.randint(0, 3)))), status=status)
    if drawn < 0.93:
        field = (random.choice(_FIELDS),)
        lacks = decision.level is not Level.NONE and random.random() < 0.5  # what is not there lacks everything
        return Expectation(absent=field) if lacks else Expectation(present=field)
    return Expectation(event=random.choice(_parts(step)))


def _parts(step: Case) -> list[dict[str, Any]]:
    """Parts of an event, right or wrong."""
    attributes = step.attributes
    user = attributes.user.name if attributes.user else None
    return [
        {"verb": attributes.verb},
        {"verb": "approve"},
        {"user": {"username": user}} if user else {"user": {}},
        {"user": {"username": "mallory"}},
        {"requestURI": step.request.uri},
        {"responseStatus": {"code": 418}},
    ]
