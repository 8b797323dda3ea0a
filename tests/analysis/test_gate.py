"""gate is complete and exact: compared with decide() on requests that were made without it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from auditproof.analysis.diff import diff
from auditproof.analysis.gate import (
    Acknowledgement,
    Consequence,
    GateResult,
    Relation,
    change_entries,
    consequences_named,
    gate,
    load_acknowledged,
    render_markdown,
    shown_by,
    with_entries,
)
from auditproof.analysis.gate.bodies import Bodies
from auditproof.analysis.gate.consequence import consequences, gains
from auditproof.audit.decide import decide
from auditproof.audit.effect import effect_of
from auditproof.audit.policy.load import Policy, PolicyRule, parse_policy
from auditproof.cli.main import main
from auditproof.errors import AuditproofError, Position, SourceError
from auditproof.kube.discovery import load_served
from tests.analysis.test_diff import pairs
from tests.support.properties import examples
from tests.support.random_policies import every_request, users

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from auditproof.audit.effect import Effect
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


def test_a_request_is_of_a_forbidden_change_if_it_is_of_its_class() -> None:
    found = gated(REQUEST, META, only=selected("resources: [{resources: [secrets]}], namespaces: [shop]")).forbidden
    (one,) = found
    asked = one.witness.attributes

    assert one.includes(asked)
    for other in ({"resource": "configmaps"}, {"namespace": "other"}, {"verb": "get"}, {"user": None}):
        assert not one.includes(replace(asked, **other)), other
    difference = diff(policy_of(REQUEST), policy_of(META), SERVED)
    assert shown_by(one, difference) is None
    (everything, *_) = gated(REQUEST, META).forbidden
    assert shown_by(everything, difference) == 1


def gated(old: str, new: str, forbid: str = "lost", **more: Any) -> GateResult:
    return gate(policy_of(old), policy_of(new), SERVED, forbid=consequences_named(forbid.split(",")), **more)


def entry(conditions: str, effects: str = "lost-events", until: date | None = None) -> Acknowledgement:
    where = Position("audit-changes.yaml", 4, 3)
    return Acknowledgement(
        selected(conditions), consequences_named(effects.split(",")), "noise", "sre", "CHG-1", until, where
    )


@cache
def asked_by_some() -> tuple[Attributes, ...]:
    """Requests of all kinds, by some users."""
    return tuple(replace(request, user=user) for request in REQUESTS[::23] for user in USERS[::11])


def effects(policy: Policy, requests: Iterable[Attributes]) -> list[Effect]:
    return [effect_of(decide(policy, asked), failed=asked.user is None) for asked in requests]


def happened(asked: Attributes, before: Effect, after: Effect) -> set[Consequence]:
    """What happens to one request, with its bodies by hand."""
    if before == after:
        return set()
    failed = asked.user is None
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
    return set(consequences(before, after, bodies))


@examples(25)
@given(pairs())
def test_nothing_that_happens_to_any_request_is_missed(pair: tuple[Policy, Policy]) -> None:
    """Of all requests by some users, and in both directions."""
    recorded = [(policy, effects(policy, asked_by_some())) for policy in pair]
    for (old, before), (new, after) in permutations(recorded):
        found = gate(old, new, SERVED, forbid=frozenset(Consequence))
        shown = {one for forbidden in found.forbidden for one in forbidden.consequences}
        assert set().union(*map(happened, asked_by_some(), before, after)) <= shown


@examples(25)
@given(pairs())
def test_what_is_forbidden_really_happens_to_its_example(pair: tuple[Policy, Policy]) -> None:
    old, new = pair

    for forbidden in gate(old, new, SERVED, forbid=frozenset(Consequence)).forbidden:
        asked = forbidden.witness.attributes
        before, after = (effects(policy, [asked])[0] for policy in pair)
        assert happened(asked, before, after) == set(forbidden.consequences)


@examples(25)
@given(pairs())
def test_the_relation_of_two_policies_is_that_of_all_their_requests(pair: tuple[Policy, Policy]) -> None:
    old, new = pair
    before, after = (effects(policy, asked_by_some()) for policy in pair)
    more, less = any(map(gains, before, after)), any(map(gains, after, before))

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
        (META, "- {level: Request, omitManagedFields: true}\n", Relation.MORE),
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
    with pytest.raises(AuditproofError, match=r'unknown effect "lots"; did you mean "lost"'):
        consequences_named(["lots"])


FILE = """\
apiVersion: auditproof/v1
kind: AcknowledgedChanges
changes:
- requests: [{resources: [secrets]}]
  effects: [lost]
  because: |
    They are
    nobody's business.
  approvedBy: sre
  ticket: CHG-1
  until: 2027-01-31
"""


TWICE = "{requests: [{resources: [secrets]}], effects: [lost-events], because: a, approvedBy: b}"


def loaded(tmp_path: Path, text: str) -> tuple[Acknowledgement, ...]:
    file = tmp_path / "audit-changes.yaml"
    file.write_text(text)
    return load_acknowledged(file).changes


def test_a_file_of_acknowledged_changes_is_read(tmp_path: Path) -> None:
    (one,) = loaded(tmp_path, FILE)

    assert one.effects == consequences_named(["lost"])
    assert (one.because, one.approved_by, one.ticket) == ("They are nobody's business.", "sre", "CHG-1")
    assert (one.until, one.position.line) == (date(2027, 1, 31), 4)
    assert [rule.resources[0].resources for rule in one.requests] == [("secrets",)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("secrets", "secret", '4:27: "secret" is no built-in resource; did you mean "secrets"?'),
        ("[lost]", "[losst]", '5:13: unknown effect "losst"; did you mean "lost"?'),
        ("2027-01-31", "2027-02-31", "11:10: 2027-02-31 is no date; expected one such as 2027-01-31"),
        ("2027-01-31", "soon", "11:10: changes.0.until"),
        ("approvedBy: sre", "approvedBy: TODO", "9:15: approvedBy is still to be filled in: say who"),
        ("ticket:", "tickets:", '10:3: changes.0.tickets: unknown key "tickets"; did you mean "ticket"?'),
        ("{resources: [secrets]}", "{failedLogins: true}", "4:29: an acknowledgement covers failed logins too"),
        (
            "- requests",
            f"- {TWICE}\n- requests",
            "5:13: lost-events of these requests is acknowledged already, in line 4",
        ),
    ],
)
def test_a_mistake_in_the_file_is_reported_where_it_is(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(SourceError) as error:
        loaded(tmp_path, FILE.replace(old, new, 1))

    assert f"audit-changes.yaml:{said}" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (META, DROPPED + META),
        (BOTH, META),
        (META, "- {level: None, users: [bob]}\n" + META),
        (META, "- {level: None, namespaces: [shop], verbs: [get]}\n" + META),
        (META, "- {level: None, nonResourceURLs: [/healthz*]}\n" + META),
    ],
)
def test_the_entries_that_are_written_acknowledge_their_changes_once_filled_in(
    tmp_path: Path, old: str, new: str
) -> None:
    """And name no user, namespace or resource that does not change."""
    before = gated(old, new)
    assert not before.passes
    text = with_entries("", "changes", change_entries(before.open))
    with pytest.raises(SourceError, match="still to be filled in"):
        loaded(tmp_path, text)
    after = gated(old, new, acknowledged=loaded(tmp_path, text.replace("TODO", "fine")))

    assert (after.passes, after.unused) == (True, ())
    assert not gated(old, "- level: None\n", acknowledged=loaded(tmp_path, text.replace("TODO", "fine"))).passes


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    paths = tmp_path / "old.yaml", tmp_path / "new.yaml"
    for path, rules in zip(paths, (META, DROPPED + META), strict=True):
        path.write_text(HEAD + rules)
    return str(paths[0]), str(paths[1])


def test_the_exit_code_of_diff_says_whether_something_forbidden_happens(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until it is acknowledged in the file next to the new policy."""
    assert main(["diff", *files, "--forbid", "exposed"]) == 0
    assert main(["diff", *files, "--forbid", "lost", "--only", "pods/exec"]) == 0
    assert main(["diff", *files, "--forbid", "lost", "--acknowledge"]) == 1
    said = capsys.readouterr().out
    assert "This change may not go in: 1 forbidden change (lost)." in said
    assert "FORBIDDEN lost-events: Metadata → None" in said
    file = tmp_path / "audit-changes.yaml"
    assert main(["diff", *files, "--forbid", "lost"]) == 4  # nothing passes by an entry that no one filled in
    file.write_text(file.read_text().replace("TODO", "reviewed"))
    assert main(["diff", *files, "--forbid", "lost"]) == 0
    assert "acknowledged lost-events: Metadata → None" in capsys.readouterr().out


def test_json_and_markdown_say_the_same(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *files, "--forbid", "lost", "--format", "json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert (record["relation"], record["gate"]["passes"]) == ("records less", False)
    assert record["gate"]["forbidden"][0]["effects"] == [{"effect": "lost-events", "acknowledged": None}]
    assert main(["diff", *files, "--forbid", "lost", "--format", "markdown"]) == 1
    assert record["gate"]["decision"] in capsys.readouterr().out


@pytest.mark.parametrize("more", [["--only", "secrets"], ["--acknowledge"], ["--acknowledged", "x.yaml"]])
def test_an_option_of_the_gate_needs_forbid(
    files: tuple[str, str], more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *files, *more]) == 4
    assert "needs --forbid" in capsys.readouterr().err


def test_entries_are_written_for_one_version(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *files, "--forbid", "lost", "--kubernetes", "1.36,1.37"]) == 1
    assert capsys.readouterr().out.count("This change may not go in") == 2
    assert main(["diff", *files, "--forbid", "lost", "--kubernetes", "1.36,1.37", "--acknowledge"]) == 4
    assert "--acknowledge writes the changes on one version" in capsys.readouterr().err


@pytest.mark.parametrize("number", [3, 100])
def test_a_comment_stays_under_sixty_lines(number: int) -> None:
    dropped = "".join(
        f"- {{level: None, users: [user-{n}], verbs: [get], namespaces: [n-{n}]}}\n" for n in range(number)
    )
    result = gated(META, dropped + META)

    assert len(render_markdown(result, consequences_named(["lost"])).splitlines()) < 60
