"""Events of random requests, for property tests: what an API server writes, and some that it would not."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from auditproof.kube.attributes import NotAudited, attributes_of
from tests.support.random_policies import NAMES, STAGES, requests, users
from tests.support.replayed import recorded

if TYPE_CHECKING:
    from auditproof.kube.attributes import UserInfo

QUERIES = [
    "",
    "timeout=32s",
    "timeout=soon",
    "%74imeout=soon",
    "watch=true&timeout=5m1.5s&timeoutSeconds=9",
    "timeout=&timeout=x",
]
QUERIES += [
    "fieldSelector=metadata.name%3Dweb",
    "fieldSelector=spec.nodeName%3Dn&limit=500",
    "watch=0",
    "limit=x&watch=1",
    "fieldSelector=metadata.name%3Dweb&watch=true&limit=x",
    "fieldSelector=metadata.name%3Dweb&timeoutSeconds=5",
    "watch=true&fieldSelector=metadata.name%3Dshop",
    "fieldSelector=metadata.name%3Dweb&fieldSelector=metadata.name%3Dshop",
]


@cache
def every_request() -> list[tuple[str, str]]:
    return list(requests())


@cache
def every_user() -> list[UserInfo | None]:
    return [user for user, _ in users()]


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """The event of a random request; some are changed as no API server would."""
    method, uri = draw(st.sampled_from(every_request()))
    if query := draw(st.sampled_from(QUERIES)):
        uri += ("&" if "?" in uri else "?") + query
    user = draw(st.sampled_from(every_user()))
    try:
        seen = attributes_of(method, uri, user)
    except NotAudited:
        seen = attributes_of("GET", "/healthz", user)
    event = recorded(seen.user, uri, seen, draw(st.sampled_from(STAGES)))
    reference = event.get("objectRef")
    if reference is not None and not reference.get("name") and draw(st.booleans()):
        reference["name"] = draw(st.sampled_from([*NAMES, "of/body"]))  # from the body
    if draw(st.integers(0, 9)) == 0:
        event["verb"] = draw(st.sampled_from(["get", "list", "watch", "create", "delete", "proxy", "", "GET"]))
    if reference is not None and draw(st.integers(0, 9)) == 0:
        key = draw(st.sampled_from(["namespace", "resource", "subresource", "name", "apiGroup", "apiVersion"]))
        reference[key] = draw(st.sampled_from(["shop", "", "namespaces", "pods/log", "watch", "status"]))
    if draw(st.integers(0, 19)) == 0:
        event["user"] = draw(st.sampled_from([{}, {"groups": ["dev"]}, {"username": ""}, {"uid": "u"}]))
    return event
