"""gate is complete and exact: compared with decide() on requests that were made without it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from auditproof.analysis.gate import Acknowledgement, Consequence, GateResult, Relation, consequences_named, gate
from auditproof.analysis.gate.consequence import Bodies, consequences, gains
from auditproof.audit.decide import decide
from auditproof.audit.effect import effect_of
from auditproof.audit.policy.load import Policy, PolicyRule, parse_policy
from auditproof.errors import AuditproofError, Position
from auditproof.kube.discovery import load_served
from tests.analysis.test_diff import pairs
from tests.support.properties import examples
from tests.support.random_policies import every_request, users

if TYPE_CHECKING:
    from auditproof.kube.attributes import Attributes

SERVED = load_served("1.37")
REQUESTS = every_request()
USERS = [user for user, _ in users()]
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
META, REQUEST, BOTH = "- level: Metadata\n", "- level: Request\n", "- level: RequestResponse\n"
DROPPED = "- {level: None, resources: [{resources: [secrets]}]}\n"
TODAY = date(2026, 6, 1)


def policy_of(rules: str, head: str = HEAD) -> Policy:
    return parse_policy((head + rules).encode(), "p.yaml")


def selected(conditions: str) -> tuple[PolicyRule, ...]:
    return policy_of(f"- {{level: None, {conditions}}}\n").rules


def gated(old: str, new: str, forbid: str = "lost", **more: Any) -> GateResult:
    return gate(policy_of(old), policy_of(new), SERVED, forbid=consequences_named(forbid.split(",")), **more)


def entry(conditions: str, effects: str = "lost-events", until: date | None = None) -> Acknowledgement:
    where = Position("audit-changes.yaml", 4, 3)
    return Acknowledgement(
        selected(conditions), consequences_named(effects.split(",")), "noise", "sre", "CHG-1", until, where
    )


def happened(old: Policy, new: Policy, asked: Attributes) -> set[Consequence]:
    """What happens to one request, with its bodies by hand."""
    failed = asked.user is None
    before, after = (effect_of(decide(policy, asked), failed=failed) for policy in (old, new))
    secret = (asked.api_group, asked.resource, asked.subresource) in (
        ("", "secrets", ""),
        ("", "configmaps", ""),
        ("authentication.k8s.io", "tokenreviews", ""),
    )
    token = (asked.api_group, asked.resource, asked.subresource, asked.verb) == (
        "",
        "serviceaccounts",
        "token",
        "create",
    )
    body = asked.resource_request and not failed
    written = asked.verb in ("create", "update", "patch")
    returned = written or asked.verb in ("get", "list", "deletecollection")
    bodies = Bodies(
        body and (written or asked.verb in ("delete", "deletecollection")),
        body and (returned or asked.verb == "delete"),
        body and secret and written,
        body and ((secret and returned) or token),
    )
    return set(consequences(before, after, bodies)) if before != after else set()


@examples(25)
@given(pairs())
def test_nothing_that_happens_to_any_request_is_missed(pair: tuple[Policy, Policy]) -> None:
    """Of all requests by some users, and in both directions."""
    old, new = pair
    asked = [replace(request, user=user) for request in REQUESTS[::23] for user in USERS[::11]]
    for before, after in ((old, new), (new, old)):
        found = gate(before, after, SERVED, forbid=frozenset(Consequence))
        shown = {one for forbidden in found.forbidden for one in forbidden.consequences}
        assert set().union(*(happened(before, after, one) for one in asked)) <= shown


@examples(25)
@given(pairs())
def test_what_is_forbidden_really_happens_to_its_example(pair: tuple[Policy, Policy]) -> None:
    old, new = pair

    for forbidden in gate(old, new, SERVED, forbid=frozenset(Consequence)).forbidden:
        assert happened(old, new, forbidden.witness.attributes) == set(forbidden.consequences)


@examples(25)
@given(pairs())
def test_the_relation_of_two_policies_is_that_of_all_their_requests(pair: tuple[Policy, Policy]) -> None:
    old, new = pair
    more = less = False
    for request in REQUESTS[::23]:
        for user in USERS[::11]:
            asked = replace(request, user=user)
            before, after = (effect_of(decide(policy, asked), failed=user is None) for policy in (old, new))
            more, less = more or gains(before, after), less or gains(after, before)

    relation = gate(old, new, SERVED, forbid=()).relation

    assert not more or relation in (Relation.MORE, Relation.INCOMPARABLE)
    assert not less or relation in (Relation.LESS, Relation.INCOMPARABLE)
    assert (relation is Relation.EQUIVALENT) is (gate(new, old, SERVED, forbid=()).relation is Relation.EQUIVALENT)


@pytest.mark.parametrize(
    ("old", "new", "relation"),
    [
        (META, META + META, Relation.EQUIVALENT),
        (META, REQUEST, Relation.MORE),
        (REQUEST, META, Relation.LESS),
        (META, DROPPED + REQUEST, Relation.INCOMPARABLE),
        ("- {level: Request, omitManagedFields: true}\n", REQUEST, Relation.MORE),
        (META, "- {level: Request, omitStages: [RequestReceived]}\n", Relation.INCOMPARABLE),
    ],
)
def test_two_policies_have_one_relation(old: str, new: str, relation: Relation) -> None:
    assert gated(old, new).relation is relation


@pytest.mark.parametrize(
    ("old", "new", "forbid", "happens"),
    [
        (META, DROPPED + META, "lost", {"lost-events"}),
        (META, DROPPED + META, "exposed", set()),
        (REQUEST, META, "lost", {"lost-bodies"}),
        (REQUEST, META, "lost-events", set()),
        (META, "- {level: Metadata, omitStages: [RequestReceived]}\n", "lost", {"lost-stages"}),
        (META, REQUEST, "lost,exposed", {"exposed"}),
        (META, REQUEST, "more", {"more"}),
        (DROPPED + BOTH, BOTH, "exposed", {"exposed"}),
    ],
)
def test_only_what_is_forbidden_is_found(old: str, new: str, forbid: str, happens: set[str]) -> None:
    found = gated(old, new, forbid)

    assert {str(one) for forbidden in found.forbidden for one in forbidden.consequences} == happens
    assert found.passes is not bool(happens)


def test_a_get_exposes_nothing_until_responses_are_recorded() -> None:
    """At level Request only what was sent is recorded: a read of a secret has no such body."""
    exposed = {
        verb
        for one in gated(META, REQUEST, "exposed").forbidden
        for verb in one.row.product.verbs
        if "secrets" in one.row.product.what
    }

    assert exposed == {"create", "update", "patch"}
    assert "get" in {verb for one in gated(META, BOTH, "exposed").forbidden for verb in one.row.product.verbs}


def test_a_selector_limits_what_is_looked_at() -> None:
    assert not gated(META, DROPPED + META, only=selected("resources: [{resources: [secrets]}]")).passes
    assert gated(META, DROPPED + META, only=selected("resources: [{resources: [pods/exec]}]")).passes


@pytest.mark.parametrize(
    ("entries", "passes"),
    [
        ([entry("resources: [{resources: [secrets]}]")], True),
        ([entry("resources: [{resources: [secrets]}]", "lost")], True),
        ([entry("resources: [{resources: [secrets]}]", "lost-bodies")], False),
        ([entry("verbs: [get], resources: [{resources: [secrets]}]")], False),
        ([entry("namespaces: [kube-system], resources: [{resources: [secrets]}]")], False),
        ([entry("users: [alice], resources: [{resources: [secrets]}]")], False),
        ([entry("resources: [{resources: [secrets]}]", until=TODAY)], True),
        ([entry("resources: [{resources: [secrets]}]", until=date(2026, 5, 31))], False),
    ],
)
def test_an_acknowledgement_covers_exactly_what_it_names(entries: list[Acknowledgement], passes: bool) -> None:
    """All requests of the change, all that happens to them, and today."""
    found = gated(META, DROPPED + META, acknowledged=entries, today=TODAY)

    assert found.passes is passes
    assert bool(found.open) is not passes


def test_what_is_left_of_a_change_is_not_acknowledged() -> None:
    """An entry about reads leaves writes open, and is shown with what it covers."""
    reads = entry("verbs: [get, list, watch], resources: [{resources: [secrets]}]")
    found = gated(META, DROPPED + META, acknowledged=[reads])

    assert {one.by for one in found.forbidden if one.acknowledged} == {(reads,)}
    assert {verb for one in found.open for verb in one.row.product.verbs} >= {"create", "delete"}
    assert not {verb for one in found.open for verb in one.row.product.verbs} & {"get", "list", "watch"}


def test_an_acknowledgement_that_covers_nothing_or_is_over_is_reported() -> None:
    used, unused = entry("resources: [{resources: [secrets]}]"), entry("resources: [{resources: [pods]}]")
    over = entry("resources: [{resources: [secrets]}]", until=date(2020, 1, 1))
    found = gated(META, DROPPED + META, acknowledged=[over, used, unused], today=TODAY)

    assert (found.passes, found.unused, found.expired) == (True, (unused,), (over,))


def test_a_word_that_is_none_is_refused_with_a_suggestion() -> None:
    with pytest.raises(AuditproofError, match=r'"lots" is none of lost, lost-events.*did you mean "lost"'):
        consequences_named(["lots"])
