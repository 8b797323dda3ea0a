"""Recorded events as rows of DuckDB, judged by the SQL of a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from auditproof.audit.decide import decide
from auditproof.proof.offline import asked_by
from auditproof.replay.query import PolicyColumns, judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.audit.policy.load import Policy
    from auditproof.kube.attributes import Attributes, UserInfo

_TEXTS = ("username", "verb", "request_uri", "namespace", "api_group", "api_version", "resource", "subresource", "name")
_REFERENCE = ("namespace", "apiGroup", "apiVersion", "resource", "subresource", "name")
_COLUMNS = ", ".join(
    [*(f"{name} VARCHAR" for name in (*_TEXTS, "stage")), "authenticated BOOLEAN, has_reference BOOLEAN"]
)


def recorded(user: UserInfo | None, uri: str, seen: Attributes, stage: str = "ResponseComplete") -> dict[str, Any]:
    """The event that the API server writes about a request whose attributes it has ``seen``."""
    event: dict[str, Any] = {"verb": seen.verb, "requestURI": uri, "user": {}, "stage": stage}
    if user is not None:
        event["user"] = {"username": user.name, "groups": list(user.groups)}
    if seen.resource_request:
        values = (seen.namespace, seen.api_group, seen.api_version, seen.resource, seen.subresource, seen.name)
        event["objectRef"] = {key: value for key, value in zip(_REFERENCE, values, strict=True) if value}
    return event


def row_of(event: dict[str, Any]) -> list[Any]:
    """An event as a row of the table ``events``."""
    user, reference = event.get("user") or {}, event.get("objectRef")
    texts = [user.get("username", ""), event["verb"], event["requestURI"]]
    texts += [(reference or {}).get(key, "") for key in _REFERENCE]
    return [*texts, event["stage"], bool(user), reference is not None, user.get("groups", [])]


def judge(events: Sequence[dict[str, Any]], policy: Policy) -> list[tuple[bool, int, str, bool]]:
    """Whether each event is exact, and rule, level and omitted stage that the SQL of a policy gives it."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE events ({_COLUMNS}, user_groups VARCHAR[], place INTEGER)")
        rows = [[*row_of(event), place] for place, event in enumerate(events)]
        connection.executemany(f"INSERT INTO events VALUES ({', '.join('?' * len(rows[0]))})", rows)
        query = judged(exp.select("*").from_("events"), [PolicyColumns(policy)])
        wanted = f"SELECT exact, rule, policy_level, omitted FROM ({query.sql('duckdb')}) ORDER BY place"
        return connection.execute(wanted).fetchall()


def expected(event: dict[str, Any], policy: Policy) -> tuple[int, str, bool]:
    """What ``decide`` says about an event's request."""
    decision = decide(policy, asked_by(event))
    rule = decision.rule.index if decision.rule else -1
    return rule, str(decision.level), event["stage"] in decision.omit_stages


def line(event: dict[str, Any], level: str = "Metadata", **more: Any) -> dict[str, Any]:
    """A whole event of ``recorded``, as the API server writes it at a level."""
    whole = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "auditID": "4f0d",
        "sourceIPs": ["10.0.0.1"],
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-11-02T10:00:00.000000Z",
        "stageTimestamp": "2026-11-02T10:00:00.100000Z",
    }
    return {**whole, **event, **more}
