"""The policy as SQL decides as ``decide`` does, on random policies and requests and on the API server's own vectors."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from auditproof.audit.policy.load import parse_policy
from auditproof.kube.attributes import Attributes, UserInfo, attributes_of
from auditproof.kube.request_line import request_line
from tests.support.properties import examples
from tests.support.random_events import events
from tests.support.random_policies import policies, read
from tests.support.replayed import expected, judge, recorded

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "evaluate.json").read_text())["cases"]


@examples(20)
@given(policy=policies, batch=st.lists(events(), min_size=10, max_size=30))
def test_an_exact_row_has_the_rule_level_and_omitted_stage_of_decide(
    policy: Policy, batch: list[dict[str, Any]]
) -> None:
    for event, (exact, *found) in zip(batch, judge(batch, policy), strict=True):
        assert not exact or tuple(found) == expected(event, policy), event


def test_the_requests_that_clients_send_are_exact() -> None:
    policy = parse_policy((Path("fixtures/policies/baseline.yaml")).read_bytes(), "baseline.yaml")
    user = UserInfo("alice", ("system:authenticated",))
    lines = [
        ("GET", "/api/v1/namespaces/shop/pods?limit=500"),
        ("GET", "/api/v1/namespaces/shop/pods?allowWatchBookmarks=true&timeout=5m17s&timeoutSeconds=317&watch=true"),
        ("GET", "/apis/apps/v1/deployments?labelSelector=app%3Dx"),
        ("POST", "/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c"),
        ("POST", "/api/v1/namespaces"),
        ("PUT", "/api/v1/namespaces/shop/finalize"),
        ("PATCH", "/api/v1/namespaces/shop/pods/web/status"),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node?timeout=10s"),
        ("DELETE", "/api/v1/namespaces/shop/pods"),
        ("GET", "/api/v1/nodes/node/proxy/metrics/cadvisor"),
        ("GET", "/api/v1/namespaces/shop/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt&watch=true"),
        ("GET", "/healthz?verbose"),
    ]
    batch = [recorded(user, uri, attributes_of(method, uri, user)) for method, uri in lines]

    assert [(exact, *found) for exact, *found in judge(batch, policy)] == [
        (True, *expected(event, policy)) for event in batch
    ]


def test_the_name_in_the_body_of_a_create_matches_no_rule() -> None:
    rule = {"level": "Request", "resources": [{"group": "", "resources": ["pods"], "resourceNames": ["web"]}]}
    policy = read({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rule]})
    uri = "/api/v1/namespaces/shop/pods"
    event = recorded(None, uri, attributes_of("POST", uri, None))
    event["objectRef"]["name"] = "web"

    assert judge([event], policy) == [(True, -1, "None", False)]


def test_the_server_s_own_vectors_are_decided_as_the_server_decides_them() -> None:
    cases: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for case in VECTORS:
        if not case.get("requestInfoError"):
            cases[case["policy"]].append(case)
    judged = 0
    for text, some in cases.items():
        found = judge([event_of_case(case) for case in some], parse_policy(text.encode(), "policy.yaml"))
        for case, (exact, rule, level, _) in zip(some, found, strict=True):
            index = case["expect"]["matched_rule_index"]
            assert not exact or (rule, level) == (-1 if index is None else index, case["expect"]["level"]), case["name"]
            judged += exact
    assert judged > len(VECTORS) * 0.8


def event_of_case(case: dict[str, Any]) -> dict[str, Any]:
    user = case["user"]
    info = None if user is None else UserInfo(user["name"], tuple(user.get("groups") or ()))
    if "http" in case:
        method, uri = case["http"]["method"], case["http"]["uri"]
        seen = attributes_of(method, uri, info)
        return recorded(seen.user, uri, seen)
    keys = ("verb", "namespace", "apiGroup", "apiVersion", "resource", "subresource", "objectName", "path")
    seen = Attributes(info, *(case[key] for key in keys), case["resourceRequest"])
    return recorded(info, request_line(seen)[1], seen)
