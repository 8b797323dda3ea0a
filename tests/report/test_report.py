"""The report: counts that add up, a headline that claims no more than was shown, an anchor for each proof."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from html import unescape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from auditproof.analysis.diff import diff
from auditproof.audit.event import Level
from auditproof.audit.policy.load import parse_policy
from auditproof.kube.discovery import load_served
from auditproof.report.change import change_record, change_rows, change_sentence
from auditproof.report.ci.junit import EMPTY, told_in_full
from auditproof.report.document import conformance_report, replace_file, write_results
from auditproof.report.headline import run_time
from auditproof.report.matrix import BUSY, matrices
from auditproof.report.model import ClusterRecord, PolicyRecord, ProofRecord, Report, Sections, Summary, results_text
from auditproof.report.policy_lines import policy_lines
from auditproof.report.statements import decision, statements
from auditproof.report.terminal import closing_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from auditproof.audit.policy.load import Policy

GIVEN = {
    "path": "prod.yaml",
    "sha256": "a" * 64,
    "text": "rules:\n- level: Metadata\n- level: None\n",
    "ruleLines": [2, 3],
    "warnings": [],
}
OTHER = {"path": "other.yaml", "sha256": "b" * 64}
NOON = datetime(2026, 1, 2, 13, 0, tzinfo=timezone(timedelta(hours=1)))


def proof(proof_id: str, verdict: str = "PROVEN", **changed: Any) -> dict[str, Any]:
    performed = verdict in ("PROVEN", "VIOLATED")
    return {
        "id": proof_id,
        "title": f"Title of {proof_id}",
        "suite": "s.audit.yaml",
        "line": 3,
        "policy": {"path": "prod.yaml", "sha256": "a" * 64},
        "identity": {"user": "alice", "groups": ["dev"], "kind": "x509", "impersonates": None},
        "request": {
            "method": "GET", "path": "/api/v1/pods", "verb": "list", "apiGroup": "", "resource": "pods",
            "subresource": "", "namespace": "", "name": "",
        },
        "because": "",
        "explanation": {"effect": "recorded at level Metadata", "earlier": [], "shadowed": [1]},
        "auditID": "id-1" if performed else "",
        "expected": {"rule": 0, "line": 2, "level": "Metadata", "stages": ["ResponseComplete"], "source": "policy"},
        "observed": {"level": "Metadata" if performed else None, "stages": [], "status": 200 if performed else 0},
        "verdict": verdict,
        "reasons": [] if verdict == "PROVEN" else ["the reason"],
        "claim": None,
        "events": [],
        "fence": "seen",
        "seconds": 0.01,
    } | changed  # fmt: skip


def report(
    *proofs: dict[str, Any],
    planned: tuple[str, ...] = (),
    parts: Mapping[str, Any] = MappingProxyType({}),
    **given: Any,
) -> Report:
    return conformance_report(
        [ProofRecord.model_validate(record) for record in proofs],
        policy=PolicyRecord.model_validate(GIVEN | given.pop("policy", {})),
        cluster=ClusterRecord(provider="embedded", kubernetes="v1.37.2", start_seconds=2.0),
        sections=Sections.model_validate(dict(parts)),
        planned=[*(record["id"] for record in proofs), *planned],
        started=NOON,
        finished=NOON,
        **given,
    )


def test_every_planned_action_is_accounted_for() -> None:
    found = report(
        proof("a"), proof("b", "VIOLATED"), proof("c", "UNPROVEN"), proof("d", "NOT_SUPPORTED"), planned=("e", "f")
    )
    assert found.summary == Summary(planned=6, performed=2, proven=1, violated=1, unproven=3, not_supported=1)
    assert found.not_performed == ("e", "f")


def test_two_proofs_with_one_id_add_up_to_nothing() -> None:
    with pytest.raises(ValueError, match="id of its own"):
        report(proof("a"), proof("a"))


def test_times_are_written_in_utc() -> None:
    assert report(proof("a")).started == "2026-01-02T12:00:00Z"


def test_a_token_in_a_path_or_a_reason_does_not_reach_the_report() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    record = proof("a", "VIOLATED", reasons=[f"saw {token}"])
    record["request"] = record["request"] | {"path": f"/api?token={token}"}
    assert token not in results_text(report(record))
    assert token in record["reasons"][0]


@pytest.mark.parametrize(
    ("proofs", "planned", "verdict", "sentence"),
    [
        ([proof("a")], (), "PROVEN", "The server recorded what the policy decides: 1 of 1 actions proven."),
        (
            [proof("a", "VIOLATED"), proof("b")],
            (),
            "VIOLATED",
            "The server recorded something else than the policy decides (1 action): 1 of 2",
        ),
        ([proof("a")], ("b",), "UNPROVEN", "1 action was inconclusive: 1 of 2 actions proven."),
        (
            [proof("a", "NOT_SUPPORTED")],
            (),
            "UNPROVEN",
            "Nothing was shown: the only action was skipped or not supported here.",
        ),
        ([], ("a",), "UNPROVEN", "0 of 1 actions proven"),
        ([proof("a", policy=OTHER)], (), "PROVEN", "none of them judged by prod.yaml: nothing is shown about that"),
        ([proof("a"), proof("b", policy=OTHER)], (), "PROVEN", "2 of 2 actions proven, 1 of them judged by prod.yaml"),
        (
            [proof("a", "NOT_SUPPORTED"), proof("b", policy=OTHER)],
            (),
            "PROVEN",
            "none of them judged by prod.yaml: nothing is shown",
        ),
    ],
)
def test_the_headline_says_what_was_shown_and_no_more(
    proofs: list[dict[str, Any]], planned: tuple[str, ...], verdict: str, sentence: str
) -> None:
    found = report(*proofs, planned=planned)
    assert statements(found).faithful.word == verdict
    assert sentence in statements(found).faithful.sentence


def test_a_sabotage_run_says_so_first() -> None:
    assert decision(report(proof("a"), sabotage=True)).sentence.startswith("Sabotage run")


def test_a_case_that_passes_on_a_broken_policy_is_told() -> None:
    """In a sabotage run alone: elsewhere a case is to pass."""
    proofs = [proof("a"), proof("b", "VIOLATED"), *(proof(name) for name in "cdef")]
    told = [line for line in closing_lines(report(*proofs, sabotage=True), 1.0) if line.startswith("cannot fail")]

    assert told == [f"cannot fail: {name}: PROVEN although its policy is broken on purpose" for name in "acd"]
    assert not any("cannot fail" in line for line in closing_lines(report(*proofs), 1.0))


def test_what_was_not_performed_for_one_reason_is_told_once() -> None:
    """And what was performed is told one by one: where each is, is what its reader looks for."""
    broken = [proof(name, "UNPROVEN", reasons=["s.audit.yaml:1: the Pod shop/web cannot be set up"]) for name in "ab"]
    asked = [proof(name, "UNPROVEN", reasons=["got HTTP 404"], auditID=f"id-{name}") for name in "cd"]

    told = [line for line in closing_lines(report(*broken, *asked), 1.0) if line.startswith("UNPROVEN")]

    assert [line.partition(" ")[2].partition(": ")[2] for line in told] == [
        "a, and 1 more: s.audit.yaml:1: the Pod shop/web cannot be set up",
        "c: got HTTP 404",
        "d: got HTTP 404",
    ]


def test_rules_are_counted_where_they_stand() -> None:
    lines = policy_lines(report(proof("a"), proof("b", "VIOLATED"), proof("c", policy=OTHER), proof("d", "UNPROVEN")))
    assert [(rule.number, rule.decided, rule.wrong) for line in lines for rule in line.begins] == [(1, 2, 1), (2, 0, 0)]


def test_all_rules_of_a_policy_on_one_line_are_shown() -> None:
    one_line = {"text": '{"rules":[{"level":"None"},{"level":"Metadata"}]}', "ruleLines": [1, 1]}
    (line,) = policy_lines(report(proof("a"), policy=one_line))
    assert [(rule.number, rule.decided) for rule in line.begins] == [(1, 1), (2, 0)]


def test_each_proof_is_a_line_of_results_json(tmp_path: Path) -> None:
    found = report(proof("a"), proof("b"))
    write_results(tmp_path / "results.json", found)
    text = (tmp_path / "results.json").read_text()
    assert Report.model_validate(json.loads(text)) == found
    assert sum(1 for line in text.splitlines() if line.startswith('  {"id"')) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.chmod", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(tmp_path / "f", "after")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("f", "before")]


def test_the_matrix_has_a_row_a_resource_and_a_column_a_verb_for_each_identity() -> None:
    def asked(proof_id: str, level: str, **changed: str) -> dict[str, Any]:
        record = proof(proof_id, observed={"level": level, "stages": [], "status": 200})
        return record | {"request": record["request"] | changed}

    robot = {"user": "robot", "groups": [], "kind": "serviceAccount", "impersonates": None}
    more = (asked(f"m{number}", "Metadata") for number in range(BUSY))
    alice, others = matrices(
        report(
            *more,
            asked("a", "Metadata"),
            asked("b", "RequestResponse", verb="create", apiGroup="apps", resource="deployments"),
            asked("c", "None", namespace="quiet"),
            asked("d", "Metadata", verb="get", resource=""),
            asked("e", "Request") | {"identity": robot},
            proof("f", "UNPROVEN"),
            proof("g", policy=OTHER),
        )
    )

    assert (alice.identity, alice.actions, alice.columns) == ("alice", BUSY + 4, ("get", "list", "create"))
    assert {row.target: row.cells for row in alice.rows} == {
        "deployments.apps": ((), (), (Level.REQUEST_RESPONSE,)),
        "paths": ((Level.METADATA,), (), ()),
        "pods": ((), (Level.NONE, Level.METADATA), ()),
    }
    assert (others.identity, others.columns) == ("everybody else", ("list",))
    assert [(row.who, row.target, row.cells) for row in others.rows] == [("robot", "pods", ((Level.REQUEST,),))]


def policy_of(name: str, rules: str) -> Policy:
    text = f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n{rules}"
    return parse_policy(text.encode(), path=name)


def test_what_a_change_does_is_told_with_the_proofs_on_both_servers() -> None:
    old = policy_of("old.yaml", "- level: Request\n  users: [alice]\n- level: Metadata\n")
    new = policy_of("new.yaml", "- level: None\n  users: [alice]\n- level: Metadata\n")
    record = change_record(diff(old, new, load_served("1.37")))
    before = proof("old.yaml::change-01", events=[{"stage": "ResponseComplete", "level": "Request"}])
    found = report(before, proof("new.yaml::change-01"), parts={"change": record})

    row = change_rows(found)[0]

    assert (row.kind, row.text, row.who, row.rules) == (
        "stops being recorded", "Request → None", "alice", "1 (line 4) → 1 (line 4)",
    )  # fmt: skip
    assert row.old is not None
    assert row.new is not None
    assert [row.old.id, row.new.id] == ["old.yaml::change-01", "new.yaml::change-01"]
    said = "Compared with old.yaml, this policy no longer records all verbs of every resource by alice; all verbs of"
    assert change_sentence(found).startswith(said)


def test_a_change_that_no_server_has_shown_says_so() -> None:
    old, new = policy_of("old.yaml", "- level: Metadata\n"), policy_of("new.yaml", "- level: Request\n")
    found = report(proof("a"), parts={"change": change_record(diff(old, new, load_served("1.37")))})
    assert all(row.old is None and row.new is None for row in change_rows(found))


def test_a_base_that_records_the_same_is_told_to() -> None:
    old, new = policy_of("old.yaml", "- level: Metadata\n"), policy_of("new.yaml", "- level: Metadata\n")
    found = report(proof("a"), parts={"change": change_record(diff(old, new, load_served("1.37")))})
    assert change_sentence(found) == "Nothing is recorded differently from old.yaml."


def requirement(name: str, *proofs: str, violated: bool) -> dict[str, Any]:
    violation = {
        "level": "None", "rule": 1, "line": 3, "who": "<everybody>", "verbs": "get", "what": "pods", "where": "",
        "request": "alice: GET /",
    }  # fmt: skip
    told = {"title": name, "level": "at least Metadata", "because": "so", "source": "us", "line": 1, "classes": 1}
    return {"file": "r.yaml", "id": name, **told, "violations": [violation] * violated, "proofs": list(proofs)}


def test_a_requirement_that_is_violated_passes_nowhere_even_if_nobody_can_perform_that() -> None:
    parts = {"requirements": [requirement("one", "s::a", violated=True), requirement("two", "s::b", violated=False)]}
    made = report(proof("s::a", "NOT_SUPPORTED"), proof("s::b"), parts=parts)

    assert statements(made).faithful.word == "PROVEN"
    assert statements(made).requirements.word == "NOT MET"
    assert decision(made).word == "FAIL"
    assert decision(made).sentence.startswith("1 of 2 requirements is not met (one); PROVEN: the server recorded")


def test_an_unmet_requirement_is_unmet_although_its_proofs_were_not_selected() -> None:
    """What is computed is certain; a selection (-k, -m) limits only what is shown on a server."""
    made = report(proof("s::b"), parts={"requirements": [requirement("one", "s::a", violated=True)]})

    assert decision(made).word == "FAIL"


def test_a_run_that_did_not_come_to_its_end_is_never_proven_and_says_so_first() -> None:
    made = report(proof("a"), ended="crashed: RuntimeError: <boom>")

    assert decision(made).word == "UNPROVEN"
    assert decision(made).sentence.startswith("UNPROVEN: the run crashed; 1 of 1 actions proven")


def test_when_a_run_was_made_is_told_for_people() -> None:
    made = report(proof("a")).model_copy(update={"finished": "2026-01-03T00:01:02Z"})
    assert run_time(report(proof("a"))) == "2 January 2026, 12:00:00 to 12:00:00 UTC (0 s)"
    assert run_time(made) == "2 January 2026, 12:00:00 to 3 January 2026, 00:01:02 UTC (721 min 2 s)"
    assert run_time(made.model_copy(update={"started": "", "finished": ""})) == "at an unknown time"


def test_the_end_of_three_hundred_failures_fits_on_a_screen() -> None:
    alike = [proof(f"p{number:03}", "VIOLATED") for number in range(200)]
    others = [proof(f"q{number:03}", "VIOLATED", reasons=[f"reason {number}"]) for number in range(100)]
    made = report(*alike, *others, ended="was interrupted")

    lines = closing_lines(made, 12.3)

    assert len(lines) <= 20
    assert lines[0] == "VIOLATED prod.yaml:2: p000, and 199 more: the reason"
    assert lines[1] == "VIOLATED prod.yaml:2: q000: reason 0"
    assert lines[-3:] == [
        "... and 91 more reasons", "the run was interrupted",
        "prod.yaml: 300 planned, 300 performed, 0 proven, 300 VIOLATED in 12 s",
    ]  # fmt: skip


def test_a_run_of_backends_alone_ends_with_their_sums() -> None:
    part = {"performed": 4, "recorded": 2, "lost": 1, "unproven": 1, "notPerformed": [], "tests": [], "load": []}
    sums = "backends: 0 of 0 tests show what they say; 4 actions: 2 recorded, 1 lost, 1 unproven"

    assert closing_lines(report(parts={"backends": part}), 2.0) == [f"{sums} in 2 s"]
    both = closing_lines(report(proof("a"), parts={"backends": part}), 2.0)
    assert both == ["prod.yaml: 1 planned, 1 performed, 1 proven in 2 s", sums]


def gate_record(*forbidden: dict[str, Any], relation: str = "records more") -> dict[str, Any]:
    left = [one for one in forbidden if not one["acknowledged"]]
    return {
        "relation": relation, "forbid": ["lost-events", "exposed"], "passes": not left, "decision": "",
        "forbidden": list(forbidden), "unused": [], "expired": [],
    }  # fmt: skip


def forbidden(what: str, *effects: str, by: str = "") -> dict[str, Any]:
    entry = {"because": "a", "approvedBy": by, "ticket": "T", "until": None, "file": "audit-changes.yaml", "line": 4}
    return {
        "effects": [{"effect": effect, "acknowledged": entry if by else None} for effect in effects],
        "acknowledged": bool(by), "text": "Metadata → None", "who": "everybody", "verbs": ["get"], "what": what,
        "where": "", "resources": [what], "paths": [], "witness": f"someone: GET {what}",
        "rules": [{"old": None, "new": {"rule": 1, "line": 3}}],
    }  # fmt: skip


def test_a_change_is_said_to_do_what_it_says_only_where_servers_have_shown_all_of_it() -> None:
    old, new = policy_of("old.yaml", "- level: Metadata\n"), policy_of("new.yaml", "- level: Request\n")
    record = change_record(diff(old, new, load_served("1.37")))
    ids = [name for change in record.changes for name in (change.proofs.old, change.proofs.new)]
    every = [proof(name) for name in ids]

    parts = {"change": record, "gate": gate_record()}

    def said(*proofs: dict[str, Any]) -> str:
        return statements(report(*proofs, parts=parts)).change.sentence

    assert said(*every).endswith("Each difference was shown on two servers, one with each policy.")
    assert "was shown" not in said(*every[1:])
    assert "was shown" not in said(proof(ids[0], "NOT_SUPPORTED"), *every[1:])


def test_junit_has_places_as_attributes_where_they_are_properties() -> None:
    case = '<testcase classname="c" name="n"><properties><property name="line" value="3"/>{}</properties></testcase>'
    text = f'<testsuites><testsuite>{case.format("")}<testcase name="other"/></testsuite></testsuites>'
    file = '<property name="file" value="suites/&lt;a&gt;.audit.yaml"/>'

    first, second = ElementTree.fromstring(told_in_full(text, report())).iter("testcase")
    suite = f"<testsuite>{case.format(file)}</testsuite>"
    (named,) = ElementTree.fromstring(told_in_full(suite, report())).iter("testcase")

    assert (first.get("line"), first.get("file"), second.get("line")) == ("3", None, None)
    assert named.get("file") == "suites/<a>.audit.yaml"


HOSTILE = "a\x00b\x1b]0;title\x07c\x9bd\u202ee\u2028f\x7fg<script>alert(1)</script>"
SHOWN = "a\\x00b\\x1b]0;title\\x07c\\x9bd\\u202ee\\u2028f\\x7fg&lt;script&gt;"


def hostile() -> Report:
    bad = proof("bad", "VIOLATED", title=HOSTILE, reasons=[HOSTILE], suite=HOSTILE, events=[{"stage": HOSTILE}])
    fine = proof("fine", title=HOSTILE, events=[{"stage": HOSTILE}])
    return report(bad, fine, policy={"path": HOSTILE, "text": HOSTILE, "warnings": [HOSTILE]}, ended=HOSTILE)


def test_the_junit_file_is_xml_whatever_stands_in_a_verdict() -> None:
    root = ElementTree.fromstring(told_in_full(EMPTY, hostile()))

    (failure,) = root.iter("failure")
    assert failure.get("message") == f"VIOLATED: {unescape(SHOWN)}alert(1)</script>"


def test_the_junit_file_has_what_pytest_left_out() -> None:
    case = '<testcase classname="s" name="{}"><properties><property name="evidence" value="evidence.html#proof-{}"/>'
    text = (
        '<testsuites><testsuite tests="2" errors="0" failures="1" skipped="1">'
        f"{case.format('a', 'a')}</properties><skipped/></testcase>"
        f"{case.format('b', 'b')}</properties><failure/></testcase>"
        "<testcase/></testsuite></testsuites>"
    )
    lost = proof("tests/c.py::d[x::y]#2", "VIOLATED")
    shown = report(proof("a", "VIOLATED"), proof("b", "UNPROVEN"), lost, planned=("e",))

    (suite,) = ElementTree.fromstring(told_in_full(text, shown))

    told = [(case.get("classname"), case.get("name"), case[-1].tag) for case in suite]
    assert told == [("s", "a", "failure"), ("s", "b", "error"), ("tests.c", "d[x::y]", "failure"), ("", "e", "error")]
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "2", "2", "0"]
