"""Policies that nobody has thought of, and the requests to hold them against, for property tests."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from auditproof.audit.policy.load import parse_policy
from auditproof.kube.attributes import UserInfo, attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.audit.policy.load import Policy
    from auditproof.kube.attributes import Attributes

LEVELS = ["None", "Metadata", "Request", "RequestResponse"]
STAGES = ["RequestReceived", "ResponseStarted", "ResponseComplete"]
ACCOUNT = "system:serviceaccount:shop:robot"
USERS = ["alice", "bob", ACCOUNT, "system:anonymous", "*", "system:serviceaccount:*:robot"]
GROUPS = ["dev", "ops", "system:authenticated", "system:unauthenticated", "system:serviceaccounts:shop", "*"]
VERBS = ["get", "list", "watch", "create", "update", "delete", "deletecollection", "post", "propfind", "*", ""]
NAMESPACES = ["shop", "kube-system", "", "*", "Shop %"]
RESOURCES = [
    "pods",
    "pods/log",
    "pods/*",
    "*/status",
    "*",
    "*/*",
    "secrets",
    "namespaces",
    "namespaces/status",
    "namespaces/*",
    "nodes",
    "status",
    "watch",
    "pods/log/x",
    "pods*",
    "/log",
    "",
]
NAMES = ["shop", "web", "", "*", "a%,b"]
PATHS = ["/*", "/version", "/healthz*", "/api*", "*", "/apis/*", "/", "/api/v1/pods*", "/healthz/ping"]


def some(values: list[str], *, least: int = 1) -> st.SearchStrategy[list[str]]:
    """A few of the values."""
    return st.lists(st.sampled_from(values), min_size=least, max_size=2, unique=True)


@st.composite
def group_resources(draw: st.DrawFn) -> dict[str, Any]:
    """An item of ``resources``."""
    groups = st.sampled_from(["", "", "apps", "shop.example.com", "*"])
    entry: dict[str, Any] = {"group": draw(groups), "resources": draw(some(RESOURCES, least=0))}
    if entry["resources"] and draw(st.booleans()):
        entry["resourceNames"] = draw(some(NAMES))
    return entry


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """A rule."""
    rule: dict[str, Any] = {"level": draw(st.sampled_from(LEVELS))}
    if draw(st.integers(0, 3)) == 0:
        rule["omitStages"] = draw(some(STAGES))
    if draw(st.integers(0, 4)) == 0:
        rule["omitManagedFields"] = draw(st.booleans())
    for key, values in (("users", USERS), ("userGroups", GROUPS), ("verbs", VERBS)):
        if draw(st.integers(0, 2)) == 0:
            rule[key] = draw(some(values))
    target = draw(st.sampled_from(["any", "resources", "resources", "namespaces", "both", "paths"]))
    if target in ("resources", "both"):
        rule["resources"] = draw(st.lists(group_resources(), min_size=1, max_size=2))
    if target in ("namespaces", "both"):
        rule["namespaces"] = draw(some(NAMESPACES))
    if target == "paths":
        rule["nonResourceURLs"] = draw(some(PATHS))
    return rule


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A policy as its file holds it."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": draw(st.sampled_from([[], ["RequestReceived"]])),
        "rules": draw(st.lists(rules(), min_size=1, max_size=7)),
    }


def read(document: dict[str, Any]) -> Policy:
    """The policy of a document."""
    return parse_policy(json.dumps(document).encode(), "random.json")


policies = documents().map(read)


def users() -> Iterator[tuple[UserInfo | None, bool]]:
    """Everybody, with every set of groups that authentication can give, and whether an honest issuer would give it."""
    yield None, True
    yield UserInfo("system:anonymous", ("system:unauthenticated",)), True
    own = ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated")
    for name in (ACCOUNT, "system:serviceaccount:shop:other"):
        yield UserInfo(name, own), True
    yield UserInfo("system:serviceaccount:else:robot", ("system:serviceaccounts", "system:authenticated")), True
    every = [g for size in range(len(GROUPS) + 1) for g in itertools.combinations(GROUPS, size)]
    for name in ("alice", "bob", "carol", ACCOUNT, "system:anonymous", "*", "system:serviceaccount:*:robot"):
        for groups in every if name != "system:serviceaccount:*:robot" else every[::7]:
            known = "system:authenticated" in groups
            if known or "system:unauthenticated" in groups or name == "system:anonymous":
                plain = name in ("alice", "bob", "carol") and not {GROUPS[3], GROUPS[4], "*"} & set(groups)
                yield UserInfo(name, groups), plain and known


_COLLECTIONS = [
    f"{base}/{scope}{resource}"
    for base in ("/api/v1", "/apis/apps/v1", "/apis/shop.example.com/v1", "/apis/other.example.com/v1")
    for scope in ("", "namespaces/shop/", "namespaces/else/", "namespaces/kube-system/")
    for resource in ("pods", "secrets", "nodes", "deployments")
]
_OBJECTS = [
    f"{path}/{name}{part}" for path in _COLLECTIONS for name in ("web", "db") for part in ("", "/log", "/status", "/x")
]
_SPACES = [
    f"{path}{part}" for path in ("/api/v1/namespaces/shop", "/api/v1/namespaces/web") for part in ("", "/status", "/x")
]
_PATHS = ["/version", "/healthz", "/healthz/ping", "/healthz-x", "/api", "/apis/apps/v1", "/", "/no/such", "/api/v1/"]


_ODD = [
    f"{base}{path}"
    for base in ("/api/v1", "/apis/apps/v1", "/apis/shop.example.com/v1")
    for path in (
        "/namespaces/*/pods",
        "/namespaces/Shop%20%25/secrets",
        "/namespaces/*/pods/web",
        "/namespaces/*",
        "/namespaces/*/status",
        "/namespaces/shop/pods/*",
        "/namespaces/shop/pods/a%25,b",
        "/namespaces/shop/pods*",
        "/namespaces/shop/pods//log",
        "/namespaces/shop/pods//log?fieldSelector=metadata.name%3Dweb",
        "/namespaces/shop/secrets/web/*",
        "/namespaces//namespaces/shop",
        "/namespaces//status",
        "/namespaces//watch/web",
        "/namespaces/shop//web",
        "/namespaces/shop///log",
        "//web",
        "////x",
        "/*",
        "/*/*/*",
        "/pods?fieldSelector=metadata.name%3D*",
        "/watch/namespaces/shop/pods//log",
        "/watch/pods/a%25,b",
        "/proxy/namespaces/*/nodes/web",
    )
]


def requests() -> Iterator[tuple[str, str]]:
    """Method and URI of many kinds of request, those included that are answered 404 or 405."""
    for path in [*_COLLECTIONS, "/api/v1/namespaces"]:
        yield from ((method, path) for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"))
        yield "GET", f"{path}?watch=1"
        yield "GET", f"{path}?fieldSelector=metadata.name%3Dweb"
    for path in [*_OBJECTS, *_SPACES]:
        yield from ((method, path) for method in ("GET", "POST", "PUT", "PATCH", "DELETE"))
    for path in _ODD:
        yield from ((method, path) for method in ("GET", "POST", "PUT", "DELETE", "PROPFIND"))
    for path in _PATHS:
        yield from ((method, path) for method in ("GET", "POST", "HEAD", "OPTIONS", "PROPFIND", "*"))
    yield from (("GET", "*"), ("*", "*"))


def every_request() -> list[Attributes]:
    """What the policy sees of these requests, without a user."""
    return list(dict.fromkeys(attributes_of(method, uri, None) for method, uri in requests()))
