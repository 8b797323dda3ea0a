"""The request of a recorded event as SQL, exactly as ``proof.offline.asked_by`` recovers it, or marked as not exact.

The policy saw the request line; objectRef may hold more (the name in the body of a create). For the request lines that
clients send, the two can be compared as text. ``exact`` is false for every other line (percent-encoded paths, the old
/watch/ and /proxy/ paths, a name in a field selector, a strange time-out): its request must be parsed in Python, or
objectRef is only likely to be right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from auditproof.replay import sql
from auditproof.replay.expression import RequestColumns

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot.expressions import Expr

    from auditproof.audit.policy.load import Policy

# A query whose keys are written plainly, and a time-out that is certainly a duration: see attributes_of.
_PLAIN_QUERY = "[^=&%+]*(=[^&]*)?(&[^=&%+]*(=[^&]*)?)*"
_TIMEOUT = "timeout="
_PLAIN_TIMEOUT = "([^&]*&)*timeout=([0-9]+([.][0-9]+)?(ms|s|m|h))+(&[^&]*)*"
# List options that the API server can decode, with at most the name of an object in the field selector.
_PLAIN_OPTION = (
    "(limit=[0-9]*|timeoutSeconds=[0-9]*|timeout=[0-9.hms]*|resourceVersion=[0-9]*|resourceVersionMatch=[A-Za-z]*|"
    "(watch|allowWatchBookmarks|sendInitialEvents)=(true|false|1|0)|labelSelector=[^&]*|"
    "fieldSelector=metadata[.]name%3D[a-z0-9][a-z0-9.-]*)"
)
_PLAIN_OPTIONS = f"{_PLAIN_OPTION}(&{_PLAIN_OPTION})*"
_SELECTOR = "fieldSelector="
_NAMELESS_VERBS = ("create", "update", "patch", "deletecollection")  # of a collection: asked_by finds no name
_IN_NAMESPACE_PATH = ("", "status", "finalize")
_SCALARS = ("user", "verb", "namespace", "group", "version", "resource", "subresource", "name")


@dataclass(frozen=True, slots=True)
class EventColumns:
    """The columns of an event; none of them is ever NULL, an absent text is empty.

    ``authenticated`` and ``has_reference`` are booleans: whether ``user`` and ``objectRef`` are there.
    """

    authenticated: Expr
    user: Expr
    verb: Expr
    uri: Expr
    has_reference: Expr
    namespace: Expr
    group: Expr
    version: Expr
    resource: Expr
    subresource: Expr
    name: Expr


@dataclass(frozen=True, slots=True)
class Step:
    """Columns that are computed from those of the step before, by name."""

    columns: dict[str, Expr]


def names_matter(policy: Policy) -> bool:
    """Whether any rule looks at the name of an object."""
    return any(entry.resource_names for rule in policy.rules for entry in rule.resources)


def line_step(event: EventColumns) -> Step:
    """Path and query of the request line, and the path of the collection that objectRef names."""
    question = sql.place_of(event.uri, "?")
    before = exp.Sub(this=question.copy(), expression=sql.number(1))
    after = exp.Add(this=question.copy(), expression=sql.number(1))
    absent = sql.same(question, sql.number(0))
    path = exp.Substring(this=event.uri.copy(), start=sql.number(1), length=before)
    query = exp.Substring(this=event.uri.copy(), start=after)
    is_core = sql.is_in(event.group, [""])
    core = sql.joined(sql.text("/api/"), event.version)
    named = sql.joined(sql.text("/apis/"), event.group, sql.text("/"), event.version)
    is_cluster_scoped = sql.is_in(event.namespace, [""])
    in_namespace = sql.joined(sql.text("/namespaces/"), event.namespace, sql.text("/"), event.resource)
    outside = sql.joined(sql.text("/"), event.resource)
    is_outside = sql.any_of([is_cluster_scoped, sql.is_in(event.resource, ["namespaces"])])
    collection = sql.joined(
        sql.choose((is_core, core), otherwise=named), sql.choose((is_outside, outside), otherwise=in_namespace)
    )
    return Step(
        {
            "path": sql.choose((absent, event.uri), otherwise=path),
            "query": sql.choose((absent, sql.text("")), otherwise=query),
            "collection": collection,
            "is_space": sql.all_of([sql.is_in(event.resource, ["namespaces"]), sql.none_of(is_cluster_scoped)]),
        }
    )


def place_step(event: EventColumns) -> Step:
    """Where the request line names the object, after ``line_step``."""
    collection, path = sql.column("collection"), sql.column("path")
    one = sql.joined(collection, sql.text("/"), event.name)
    has_part = sql.none_of(sql.is_in(event.subresource, [""]))
    part = sql.joined(one, sql.text("/"), event.subresource)
    own = sql.choose((has_part, part), otherwise=one)
    is_own = sql.any_of(
        [sql.same(path, own), sql.all_of([has_part, sql.starts_with(path, sql.joined(part, sql.text("/")))])]
    )
    at_object = sql.all_of([sql.none_of(sql.is_in(event.name, [""])), is_own])
    is_space = sql.column("is_space")
    of_space = sql.all_of([sql.same(event.name, event.namespace), sql.is_in(event.subresource, _IN_NAMESPACE_PATH)])
    at_collection = sql.all_of([sql.none_of(is_space), sql.none_of(has_part), sql.same(path, collection)])
    return Step(
        {
            "at_object": sql.all_of([at_object, sql.any_of([sql.none_of(is_space), of_space])]),
            "at_collection": at_collection,
            "plain_query": plain_query(sql.column("query")),
        }
    )


def plain_query(query: Expr) -> Expr:
    """Whether a query cannot make the API server refuse the request before it has authenticated the user."""
    once = _occurs_once(query, _TIMEOUT)
    keys = sql.choose(
        (sql.all_of([sql.lacks(query, "%"), sql.lacks(query, "+")]), sql.true()),
        otherwise=sql.matches_whole(query, _PLAIN_QUERY),
    )
    timeout = sql.choose(
        (sql.lacks(query, _TIMEOUT), sql.true()),
        otherwise=sql.all_of([once, sql.matches_whole(query, _PLAIN_TIMEOUT)]),
    )
    return sql.choose((sql.is_in(query, [""]), sql.true()), otherwise=sql.all_of([keys, timeout]))


def _occurs_once(value: Expr, part: str) -> Expr:
    rest = exp.Replace(this=value.copy(), expression=sql.text(part), replacement=sql.text(""))
    length, rest_length = exp.Length(this=value.copy()), exp.Length(this=rest)
    return sql.same(exp.Sub(this=length, expression=rest_length), sql.number(len(part)))


def selects_name(query: Expr, name: Expr) -> Expr:
    """Whether the field selector of a query certainly pins this name, see ``kube.attributes``."""
    around = sql.joined(sql.text("&"), query, sql.text("&"))
    option = sql.joined(sql.text(f"&{_SELECTOR}metadata.name%3D"), name, sql.text("&"))
    pinned = exp.GT(this=exp.StrPosition(this=around, substr=option), expression=sql.number(0))
    plain = sql.all_of([_occurs_once(query, _SELECTOR), sql.matches_whole(query, _PLAIN_OPTIONS)])
    return sql.choose((pinned, plain), otherwise=sql.none_of(sql.true()))


def request_step(event: EventColumns, *, names: bool) -> Step:
    """The columns of the request and ``exact``, after ``place_step``; ``names``: whether the name of an object counts.

    An event with objectRef is exact if its path is that of the object or the collection, written plainly.
    """
    at_object, at_collection, path = sql.column("at_object"), sql.column("at_collection"), sql.column("path")
    parts = [event.namespace, event.group, event.version, event.resource, event.subresource]
    nameless = sql.is_in(event.verb, _NAMELESS_VERBS)
    selects = sql.is_in(event.verb, ["list", "watch"])
    unnamed = sql.all_of(
        [
            sql.is_in(event.name, [""]),
            sql.any_of([sql.none_of(selects), sql.lacks(sql.column("query"), "fieldSelector")]),
        ]
    )
    selected = sql.choose((selects, selects_name(sql.column("query"), event.name)), otherwise=sql.none_of(sql.true()))
    by_name = sql.any_of([at_object, nameless, unnamed, selected]) if names else sql.true()
    separate = sql.choose((at_object, sql.joined(*parts, event.name)), otherwise=sql.joined(*parts))
    plain = [
        sql.lacks(separate, "/"),
        sql.none_of(sql.is_in(event.version, [""])),
        sql.none_of(sql.is_in(event.resource, [""])),
        sql.none_of(
            sql.all_of([sql.is_in(event.namespace, [""]), sql.is_in(event.resource, ["watch", "proxy"])])
        ),  # the verb of an old path
        sql.none_of(
            sql.all_of(
                [sql.none_of(sql.is_in(event.namespace, [""])), sql.is_in(event.resource, ["status", "finalize"])]
            )
        ),  # a part of the namespace
    ]
    referred = sql.all_of([sql.any_of([at_object, at_collection]), by_name, *plain])
    exact = [
        sql.column("plain_query"),
        sql.lacks(path, "%"),
        sql.choose((event.has_reference, referred), otherwise=sql.true()),
    ]
    has_part = sql.none_of(sql.is_in(event.subresource, [""]))
    full = sql.joined(event.resource, sql.text("/"), event.subresource)
    # The name in objectRef comes from the body where the path has none.
    of_body = sql.all_of([sql.none_of(at_object), at_collection, nameless])
    return Step(
        {
            "request_name": sql.choose((of_body, sql.text("")), otherwise=event.name),
            "full_resource": sql.choose((has_part, full), otherwise=event.resource),
            "exact": sql.all_of(exact),
        }
    )


def request_columns(event: EventColumns, in_group: Callable[[str], Expr]) -> RequestColumns:
    """The columns of the request, after ``request_step``."""
    return RequestColumns(
        authenticated=event.authenticated,
        user=event.user,
        in_group=in_group,
        verb=event.verb,
        resource_request=event.has_reference,
        namespace=event.namespace,
        group=event.group,
        resource=event.resource,
        subresource=event.subresource,
        full_resource=sql.column("full_resource"),
        name=sql.column("request_name"),
        path=sql.column("path"),
    )
