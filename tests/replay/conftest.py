"""A small log of which everything is known."""

from __future__ import annotations

import pytest

from auditproof.kube.attributes import UserInfo, attributes_of
from auditproof.replay.bodies import line_of
from tests.support.replayed import line, recorded

NODE = UserInfo("system:node:n1", ("system:nodes", "system:authenticated"))
ALICE = UserInfo("alice", ("dev", "system:authenticated"))
REQUEST = {"kind": "Pod", "metadata": {"name": "web", "labels": {"a": "<&>ü"}}, "spec": {"responseObject": 1}}
RESPONSE = {"kind": "Pod", "metadata": {"name": "web"}, "status": {"requestObject": {"requestReceivedTimestamp": "x"}}}


@pytest.fixture
def events() -> list[dict[str, object]]:
    found = []
    for number, (user, method, uri, level) in enumerate(
        [
            (NODE, "PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1?timeout=10s", "Metadata"),
            (NODE, "PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1", "RequestResponse"),
            (ALICE, "POST", "/api/v1/namespaces/shop/pods", "RequestResponse"),
            (ALICE, "POST", "/api/v1/namespaces/shop/pods", "Request"),
            (ALICE, "GET", "/api/v1/namespaces/shop/secrets/pw", "Metadata"),
            (ALICE, "GET", "/api/v1/namespaces/sh%6Fp/secrets/pw", "Metadata"),
            (None, "GET", "/healthz", "Metadata"),
        ]
        * 3
    ):
        event = line(
            recorded(user, uri, attributes_of(method, uri, user)),
            level,
            auditID=f"id-{number}",
            stageTimestamp=f"2026-11-0{1 + number // 7}T10:00:00.000000Z",
        )
        event |= {"requestObject": REQUEST} if level != "Metadata" else {}
        event |= {"responseObject": RESPONSE} if level == "RequestResponse" else {}
        found.append(event)
    return found


@pytest.fixture
def log(events: list[dict[str, object]]) -> bytes:
    return b"".join(line_of(event) + b"\n" for event in events)
