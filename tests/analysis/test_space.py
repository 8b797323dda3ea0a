"""The space is complete and exact: held against decide() on requests that were made without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditproof.analysis.space import Space, reachable
from auditproof.analysis.space.identities import Region
from auditproof.analysis.space.joint import joint_decisions
from auditproof.audit.decide import decide, no_match
from auditproof.audit.policy.load import Policy, parse_policy
from auditproof.kube.attributes import Attributes, UserInfo, attributes_of
from auditproof.kube.discovery import from_record, load_served, minors, to_record
from auditproof.kube.request_line import request_line
from tests.support.properties import examples
from tests.support.random_policies import documents, every_request, policies, read, users

SERVED = load_served("1.37")
USERS = list(users())
REQUESTS = every_request()
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
slowly = examples(12)


def policy_of(rules: str) -> Policy:
    return parse_policy((HEAD + rules).encode(), "p.yaml")


def index_of(policy: Policy, attributes: Attributes) -> int | None:
    rule = decide(policy, attributes).rule
    return rule.index if rule else None


def decided_by_brute_force(policy: Policy) -> dict[bool, set[int | None]]:
    """Every rule that any of many users gets to with any of many requests, for honest users and for all of them."""
    found: dict[bool, set[int | None]] = {True: set(), False: set()}
    for request in unlike(policy, REQUESTS):
        for user, honest in USERS:
            index = index_of(policy, replace(request, user=user))
            found[False].add(index)
            if honest:
                found[True].add(index)
    return found


def unlike(policy: Policy, requests: list[Attributes]) -> list[Attributes]:
    """Of requests that match the same rules, but for who asks, one."""
    anybody = [replace(rule, users=(), user_groups=()) for rule in policy.rules]
    kept = {tuple(bool(no_match(rule, request)) for rule in anybody): request for request in requests}
    return list(kept.values())


@examples(50)
@given(policies)
def test_every_rule_that_brute_force_gets_to_is_reachable(policy: Policy) -> None:
    """Nothing is called unreachable that a request gets to, and no honest request is called forged."""
    found = decided_by_brute_force(policy)

    outcomes = list(Space.of(policy.rules, SERVED).outcomes())

    assert found[False] <= {outcome.deciding[0] for outcome in outcomes}
    assert found[True] <= {outcome.deciding[0] for outcome in outcomes if outcome.identity.honest}


@slowly
@given(policies)
def test_every_witness_is_decided_by_the_rule_that_it_witnesses(policy: Policy) -> None:
    for rule, witness in reachable(policy, SERVED).items():
        assert index_of(policy, witness.attributes) == rule


@slowly
@given(policies)
def test_all_requests_of_an_outcome_are_decided_alike(policy: Policy) -> None:
    space = Space.of(policy.rules, SERVED)

    for outcome in space.outcomes():
        user = space.user(outcome)
        for cell in outcome.cells:
            for attributes in list(cell.every(user))[:12]:
                assert index_of(policy, attributes) == outcome.deciding[0]


@examples(50)
@given(policies)
def test_the_joint_decisions_are_those_about_each_class_in_the_same_order(policy: Policy) -> None:
    """Taken apart, they are all classes of the space; the first of any of them comes first there, too."""
    space = Space.of(policy.rules, SERVED)
    place = {id(identity): number for number, identity in enumerate(space.identities.classes)}
    each = [(place[id(o.identity)], o.region, o.cells[0].mask, o.deciding[0]) for o in space.outcomes()]

    joint = joint_decisions(space)

    apart = [
        (place[id(identity)], one.region, one.cells[0].mask, one.deciding)
        for one in joint
        for identity in space.identities.in_bits(one.identities)
    ]
    firsts = [(place[id(one.identity)], one.region, one.cells[0].mask, one.deciding) for one in joint]
    where = {key: number for number, key in enumerate(each)}
    assert sorted(apart, key=where.__getitem__) == each
    assert [where[key] for key in firsts] == sorted(where[key] for key in firsts)


@slowly
@given(policies)
def test_a_space_of_the_requests_that_meet_a_rule_has_all_of_its_cells_and_no_others(policy: Policy) -> None:
    everything = Space.of(policy.rules, SERVED).cells
    for rule in policy.rules:
        bit = 1 << rule.index

        some = Space.of(policy.rules, SERVED, meeting=bit).cells

        assert some == {mask: cells for mask, cells in everything.items() if mask & bit}


@examples(10)
@given(policies)
def test_users_with_any_groups_find_themselves_in_exactly_one_class(policy: Policy) -> None:
    """The group sets of all outcomes of one user and one request: disjoint, and together everything."""
    space = Space.of(policy.rules, SERVED)
    groups = space.identities.groups
    for identity in space.identities.classes:
        for mask in space.cells:
            regions = [r for _, r in space._decided(mask & identity.mask, identity.region, ((0, len(policy.rules)),))]
            for chosen in range(0, 1 << len(groups), 5):
                holding = [region for region in regions if _holds(region, chosen)]
                assert len(holding) == _holds(identity.region, chosen)


def _holds(region: Region, groups: int) -> bool:
    return not groups & region.avoid and all(groups & hit for hit in region.hits)


@slowly
@given(policies)
def test_everything_in_the_space_is_a_request_that_can_be_sent(policy: Policy) -> None:
    """The API server reads out of a request line what the space says that it does: nothing there is made up."""
    for cells in Space.of(policy.rules, SERVED).cells.values():
        for cell in cells:
            for attributes in list(cell.every(None))[:12]:
                sent = attributes_of(*request_line(attributes), None)
                if attributes.resource_request:
                    sent = replace(sent, path="", api_version=attributes.api_version)
                assert sent == attributes


@slowly
@given(policies)
def test_a_witness_has_the_groups_of_somebody_who_logged_in(policy: Policy) -> None:
    for witness in reachable(policy, SERVED).values():
        user = witness.attributes.user
        if user is not None and user.name != "system:anonymous":
            assert {"system:authenticated", "system:unauthenticated"} & set(user.groups)


CASES = {
    "a user after everybody": ("- level: None\n- {level: Metadata, users: [alice]}\n", {1}),
    "a group set that only a forged credential has": (
        (
            "- {level: None, userGroups: ['system:authenticated', 'system:unauthenticated']}\n"
            "- {level: Metadata, users: [alice]}\n- level: Metadata\n"
        ),
        {1},
    ),
    "each user named before": (
        "- {level: None, users: [alice]}\n- {level: None, users: [bob]}\n- {level: Metadata, users: [bob, alice]}\n",
        {2},
    ),
    "both groups of a rule named before": (
        (
            "- {level: None, userGroups: [dev]}\n- {level: None, userGroups: [ops]}\n"
            "- {level: Metadata, userGroups: [ops, dev], verbs: [get]}\n- level: Metadata\n"
        ),
        {2},
    ),
    "one of two groups left": (
        "- {level: None, userGroups: [dev]}\n- {level: Metadata, userGroups: [ops, dev]}\n",
        set(),
    ),
    "pods before pods/*": (
        "- {level: None, resources: [{resources: ['pods/*']}]}\n- {level: None, resources: [{resources: [pods]}]}\n",
        {1},
    ),
    "pods after pods/log": (
        "- {level: None, resources: [{resources: [pods/log]}]}\n- {level: None, resources: [{resources: [pods]}]}\n",
        set(),
    ),
    "verbs taken one by one": (
        "".join(f"- {{level: None, verbs: [{verb}], resources: [{{}}]}}\n" for verb in ("get", "list", "watch"))
        + "- {level: Metadata, verbs: [watch, list, get], resources: [{resources: [pods]}]}\n",
        {3},
    ),
    "resource requests and paths taken by two rules": (
        "- {level: None, nonResourceURLs: ['*']}\n- {level: None, resources: [{group: '*'}]}\n- level: Metadata\n",
        {2},
    ),
    "a path that is a resource": ("- {level: None, nonResourceURLs: ['/api/v1/pods*']}\n", {0}),
    "a glob for a namespace": ("- {level: None, namespaces: ['kube-*']}\n", set()),
    "a namespace's own object": (
        (
            "- {level: None, namespaces: [shop], resources: [{resources: [namespaces]}]}\n"
            "- {level: None, namespaces: [''], resources: [{resources: [namespaces]}]}\n"
            "- {level: None, verbs: [list, watch], namespaces: ['', shop], resources: [{resources: [namespaces]}]}\n"
        ),
        {2},
    ),
    "a Namespace object outside of itself": (
        (
            "- {level: None, verbs: [get, update], namespaces: [''],"
            " resources: [{group: x.io, resources: [namespaces], resourceNames: [shop]}]}\n"
        ),
        set(),
    ),
    "a part of a Namespace as a resource in it": (
        "- {level: None, namespaces: [shop], resources: [{resources: [status, finalize]}]}\n",
        {0},
    ),
    "a slash in a name": (
        "- {level: None, namespaces: ['shop/web']}\n- {level: None, resources: [{resources: [pods/log/x]}]}\n",
        {0, 1},
    ),
    "a name on create": (
        "- {level: None, verbs: [list], resources: [{resources: [pods], resourceNames: [web]}]}\n",
        set(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_unreachable_rules(name: str) -> None:
    """Exactly the rules that no request reaches are unreachable."""
    rules, unreachable = CASES[name]
    policy = policy_of(rules)

    assert set(range(len(policy.rules))) - set(reachable(policy, SERVED)) == unreachable


ODD = {
    "a user": ("{level: None, users: ['*']}", "GET /", "*"),
    "a user without a name": ("{level: None, users: ['']}", "GET /", ""),
    "a group": ("{level: None, userGroups: ['system:*']}", "GET /", "someone"),
    "a group without a name": ("{level: None, userGroups: ['']}", "GET /", "someone"),
    "a verb of a path": ("{level: None, verbs: ['*']}", "* /", "someone"),
    "another method": (
        (
            "{level: Metadata, verbs: [get, head, post, put, patch, delete, options, trace, connect]}\n"
            "- {level: None, nonResourceURLs: ['/v*']}"
        ),
        "PROPFIND /v",
        "someone",
    ),
    "a namespace": (
        "{level: None, namespaces: ['*'], resources: [{resources: [secrets]}]}",
        "GET /api/v1/namespaces/%2A/secrets",
        "someone",
    ),
    "a namespace that is no label": (
        "{level: None, namespaces: ['Shop %'], resources: [{resources: [secrets]}]}",
        "GET /api/v1/namespaces/Shop%20%25/secrets",
        "someone",
    ),
    "a name": (
        "{level: None, verbs: [get], resources: [{resources: [pods], resourceNames: ['*']}]}",
        "GET /api/v1/namespaces/somewhere/pods/%2A",
        "someone",
    ),
    "a name that has to be escaped": (
        "{level: None, verbs: [list], resources: [{resources: [pods], resourceNames: ['*,']}]}",
        "GET /api/v1/pods?fieldSelector=metadata.name%3D%2A%5C%2C",
        "someone",
    ),
    "a resource": ("{level: None, resources: [{resources: ['pods*']}]}", "GET /api/v1/pods%2A", "someone"),
    "no resource": ("{level: None, resources: [{resources: ['']}]}", "GET /api/v1////nothing", "someone"),
    "any subresource": (
        "{level: None, verbs: [get], resources: [{resources: ['*/*']}]}",
        "GET /api/v1/namespaces/somewhere/widgets/something/%2A",
        "someone",
    ),
    "a subresource of no object": (
        "{level: None, verbs: [list], resources: [{resources: [pods/log]}]}",
        "GET /api/v1/namespaces/somewhere/pods//log",
        "someone",
    ),
    "a path that does not begin with a slash": (
        "{level: Metadata, nonResourceURLs: ['/*']}\n- {level: None, nonResourceURLs: ['*']}",
        "GET *",
        "someone",
    ),
    "a Namespace outside of itself": (
        "{level: None, verbs: [update], namespaces: [''], resources: [{resources: [namespaces], resourceNames: [x]}]}",
        "PUT /api/v1/namespaces//namespaces/x",
        "someone",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_taken_literally_is_in_the_space_and_marked_as_odd(name: str) -> None:
    """An API server answers such requests, and records them (the same are asked in tests/live/test_literals.py)."""
    rules, line, user = ODD[name]
    policy = policy_of(f"- {rules}\n")
    number = len(policy.rules) - 1
    found = [outcome for outcome in Space.of(policy.rules, SERVED).outcomes() if outcome.deciding == (number,)]
    asked = {" ".join(request_line(one)) for o in found for cell in o.cells for one in list(cell.every(None))[:12]}

    assert line in asked
    assert user in {name for outcome in found for name in outcome.identity.names}
    assert all(outcome.oddness[:2] > (0, 0) for outcome in found)


@pytest.mark.parametrize(
    "rules",
    [
        "- {level: None, resources: [{resources: ['pods/', pods/log/x]}]}\n",
        "- {level: None, namespaces: ['a/b']}\n",
        "- {level: None, verbs: ['*'], resources: [{group: '*'}]}\n",
        "- {level: None, verbs: [GET]}\n",
        "- {level: None, verbs: [list], resources: [{resources: [pods], resourceNames: ['%', '..']}]}\n",
    ],
)
def test_what_no_request_can_have_is_not_in_the_space(rules: str) -> None:
    assert 0 not in reachable(policy_of(rules), SERVED)


def test_a_name_on_create_is_only_seen_in_a_request_that_the_server_refuses() -> None:
    policy = policy_of("- {level: None, verbs: [create], resources: [{resources: [pods], resourceNames: [web]}]}\n")

    assert reachable(policy, SERVED)[0].served is False


def test_a_rule_that_only_forged_credentials_get_to_is_told_apart() -> None:
    policy = policy_of(
        "- {level: None, userGroups: ['system:serviceaccounts']}\n"
        "- {level: Metadata, users: ['system:serviceaccount:shop:robot']}\n"
    )

    witness = reachable(policy, SERVED)[1]

    assert not witness.honest
    assert witness.attributes.user == UserInfo("system:serviceaccount:shop:robot", ("system:authenticated",))


@given(st.lists(st.integers(1, 15), max_size=4), st.integers(0, 15))
def test_the_smallest_group_set_of_a_region_is_in_it(hits: list[int], avoid: int) -> None:
    region = Region(avoid, tuple(hits))

    if region.possible():
        assert _holds(region, region.smallest())
    else:
        assert not any(_holds(region, groups) for groups in range(16))


@slowly
@given(documents(), documents())
def test_two_policies_in_one_space_decide_as_each_does_alone(one: dict[str, object], other: dict[str, object]) -> None:
    first, second = read(one), read(other)
    count = len(first.rules)
    space = Space.of([*first.rules, *second.rules], SERVED)

    for outcome in space.outcomes((0, count), (count, count + len(second.rules))):
        attributes = outcome.cells[0].attributes(space.user(outcome))
        assert outcome.deciding == (index_of(first, attributes), index_of(second, attributes))


def test_there_is_a_record_of_every_supported_version() -> None:
    assert minors() == ("1.34", "1.35", "1.36", "1.37")


@pytest.mark.parametrize("minor", ["1.34", "1.35", "1.36", "1.37"])
def test_the_record_of_a_version_holds_what_every_server_has(minor: str) -> None:
    served = load_served(f"{minor}.9")
    found = {(entry.group, entry.full_name): entry for entry in served.resources}

    assert served.kubernetes.startswith(f"v{minor}.")
    assert {"get", "create"} <= found["", "pods/exec"].verbs
    assert found["", "pods/log"].verbs == {"get"}
    assert found["", "secrets"].namespaced and not found["", "nodes"].namespaced
    assert found["authentication.k8s.io", "tokenreviews"].verbs == {"create"}
    assert {"/", "/version", "/healthz", "/metrics"} <= set(served.paths)
    assert from_record(to_record(served)) == served


def test_a_version_without_a_record_is_taken_for_the_nearest() -> None:
    assert load_served("1.20") == load_served("1.34")
    assert load_served("1.99.1") == load_served("1.37")
