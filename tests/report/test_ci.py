"""A run in the forms that CI systems show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from auditproof.report.ci.github import step_summary, workflow_commands
from auditproof.report.ci.gitlab import code_quality
from auditproof.report.ci.junit import EMPTY, told_in_full
from auditproof.report.ci.sarif import as_sarif
from auditproof.report.ci.troubles import troubles
from auditproof.report.headline import RUN
from auditproof.report.model import RunRecord, ServerCount
from auditproof.report.terminal import closing_lines
from tests.report.test_report import OTHER, forbidden, gate_record, proof, report, requirement

if TYPE_CHECKING:
    from auditproof.report.model import Report

REASONS = ["not recorded: 100%", "a | b <script>"]


def run(**given: Any) -> Report:
    return report(
        proof("fine"),
        proof("own", "VIOLATED", reasons=REASONS),
        proof("other", "VIOLATED", policy=OTHER, suite="suites/a,b:c.audit.yaml", line=12, title="Other"),
        proof("open", "UNPROVEN"),
        proof("absent", "NOT_SUPPORTED"),
        planned=("a.audit.yaml::never",),
        **given,
    )


def test_what_is_not_proven_is_placed_where_it_is_decided_or_where_the_case_stands() -> None:
    places = [(trouble.id, trouble.verdict, trouble.path, trouble.line) for trouble in troubles(run())]
    assert places == [
        ("other", "VIOLATED", "suites/a,b:c.audit.yaml", 12),
        ("own", "VIOLATED", "prod.yaml", 2),
        ("open", "UNPROVEN", "s.audit.yaml", 3),
        ("a.audit.yaml::never", "UNPROVEN", "a.audit.yaml", 1),
    ]


def test_what_could_not_be_shown_is_a_fault_of_the_case_and_is_reported_there_with_its_id() -> None:
    case = proof("audit/shop.audit.yaml::read", "UNPROVEN", suite="audit/shop.audit.yaml", line=81)
    found = report(case)

    title = "UNPROVEN%3A Title of audit/shop.audit.yaml%3A%3Aread (audit/shop.audit.yaml%3A%3Aread)"
    assert workflow_commands(found) == [f"::error file=audit/shop.audit.yaml,line=81,title={title}::the reason"]
    for text in (step_summary(found), as_sarif(found), code_quality(found), *closing_lines(found, 1.0)[:1]):
        assert "audit/shop.audit.yaml" in text
        assert "81" in text
        assert "prod.yaml:2" not in text
        assert "audit/shop.audit.yaml::read" in text


def test_a_problem_is_reported_at_the_first_of_its_places_that_is_in_the_repository() -> None:
    found = report(
        proof("a", "VIOLATED", suite="audit/a.audit.yaml"), proof("b", "VIOLATED", policy=OTHER), planned=("c",)
    )
    assert troubles(found, lambda path: f"acme/{path}")[0].path == "acme/prod.yaml"

    def only_cases(path: str) -> str:
        return f"acme/{path}" if path.startswith("audit/") else ""

    assert troubles(found, only_cases)[0].path == "acme/audit/a.audit.yaml"


def test_annotations_are_escaped() -> None:
    second, first, *_ = workflow_commands(run())
    assert first == (
        "::error file=prod.yaml,line=2,title=VIOLATED%3A Title of own (own)::not recorded: 100%25%0Aa | b <script>"
    )
    assert second == "::error file=suites/a%2Cb%3Ac.audit.yaml,line=12,title=VIOLATED%3A Other (other)::the reason"


def test_no_more_annotations_than_are_shown() -> None:
    assert len(workflow_commands(report(*(proof(f"p{n}", "VIOLATED") for n in range(50))))) == 10


def test_the_step_summary_is_a_page_of_markdown() -> None:
    lines = step_summary(run()).splitlines()
    assert lines[0] == (
        "## ❌ VIOLATED: the server recorded something else than the policy decides (2 actions): "
        "1 of 6 actions proven (1 not supported here)."
    )
    assert "| 6 | 3 | 1 | 2 | 2 | 1 |" in lines
    rows = [line for line in lines if line.startswith(("| VIOLATED", "| UNPROVEN"))]
    assert (
        rows[1] == "| VIOLATED | Title of own (own) | prod.yaml:2 | not recorded: 100%<br>a &#124; b &#60;script&#62; |"
    )
    assert len(rows) == 4


def test_a_green_run_has_a_short_summary() -> None:
    text = step_summary(report(proof("a")))
    assert text.startswith("## ✅ PROVEN: the server recorded what the policy decides: 1 of 1 actions proven")
    assert "###" not in text


def test_a_long_list_is_cut_and_says_so() -> None:
    different = [proof(f"p{n}", "VIOLATED", reasons=[f"reason {n}"]) for n in range(40)]
    alike = [proof(f"p{n}", "VIOLATED") for n in range(40)]
    assert "… and 34 more, in the report." in step_summary(report(*different))
    assert "| VIOLATED | Title of p0 (p0) and 39 more | prod.yaml:2 | the reason |" in step_summary(report(*alike))


def test_sarif_has_a_result_for_each() -> None:
    (log,) = json.loads(as_sarif(run()))["runs"]
    assert [result["ruleId"] for result in log["results"]] == ["VIOLATED", "VIOLATED", "UNPROVEN", "UNPROVEN"]
    assert {rule["id"] for rule in log["tool"]["driver"]["rules"]} >= {"VIOLATED", "UNPROVEN"}
    place = log["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "suites/a%2Cb%3Ac.audit.yaml"}, "region": {"startLine": 12}}
    assert log["invocations"] == [{"executionSuccessful": False}]


def test_code_quality_has_an_issue_for_each_with_a_fingerprint_of_its_own() -> None:
    issues = json.loads(code_quality(run()))
    assert [issue["severity"] for issue in issues] == ["critical", "critical", "major", "major"]
    assert issues[1]["location"] == {"path": "prod.yaml", "lines": {"begin": 2}}
    assert len({issue["fingerprint"] for issue in issues}) == 4
    assert json.loads(code_quality(run())) == issues


def test_a_green_run_has_nothing_to_tell() -> None:
    green = report(proof("a"))
    assert json.loads(code_quality(green)) == []
    assert json.loads(as_sarif(green))["runs"][0]["results"] == []
    assert workflow_commands(green) == []


HOSTILE = (
    "[l](javascript:alert(1)) ![p](http://e.test/p.png) `x` | a <b>\\| @all $x$ www.e.test\n# big\n::error::x \x1b[31m"
)


def test_nothing_of_others_becomes_markup_in_markdown() -> None:
    text = step_summary(report(proof("a", "VIOLATED", title=HOSTILE, reasons=[HOSTILE]), policy={"path": HOSTILE}))

    for row in text.splitlines():
        assert not row.startswith(("# ", "::"))
        if row.startswith("| VIOLATED"):
            assert row.count("|") == 5
    assert not set("[]`\x1b@$") & set(text)
    assert "javascript:alert(1)" in text
    assert "://" not in text
    assert "<b>" not in text


UNMET = requirement("one", "nobody", violated=True)
COUNTED = ServerCount(policy="prod.yaml", events=9, lost=0, lines=8, levels={}, holds=False, reason="one is missing")


@pytest.mark.parametrize(
    ("found", "verdict", "kind"),
    [
        (report(proof("fine"), parts={"requirements": [UNMET]}), None, None),
        (report(proof("fine", policy=OTHER), parts={"gate": gate_record()}), "UNPROVEN", "error"),
        (report(proof("fine"), parts={"gate": gate_record()}), None, None),
        (report(proof("fine"), parts={"counting": (COUNTED,)}), "UNPROVEN", "error"),
        (report(proof("fine"), proof("open", "UNPROVEN"), parts={"counting": (COUNTED,)}), None, None),
        (report(proof("fine")), None, None),
        (report(proof("fine", "NOT_SUPPORTED")), None, None),
    ],
)
def test_what_is_wrong_with_the_run_as_a_whole_is_in_every_form(
    found: Report, verdict: str | None, kind: str | None
) -> None:
    """If no action has the verdict of the run, a CI system that reads one form alone would take it for green."""
    alone = [trouble for trouble in troubles(found) if trouble.id == RUN]
    suite = ElementTree.fromstring(told_in_full(EMPTY, found)).find("testsuite")
    assert suite is not None
    told = [case for case in suite.iter("testcase") if case.get("classname") == "auditproof"]

    assert [trouble.verdict for trouble in alone] == ([verdict] if verdict else [])
    assert [case.find(str(kind)) is not None for case in told] == ([True] if kind else [])


GATED = report(
    proof("a"),
    parts={
        "gate": gate_record(forbidden("pods/exec", "lost-events"), forbidden("secrets", "exposed", by="ann")),
        "requirements": [
            requirement("new", "a", violated=True) | {"status": "new"},
            requirement("known", "a", violated=True) | {"status": "known"},
            requirement("met", "a", violated=False),
            requirement("open", "b", violated=False),
        ],
        "failOn": "new",
    },
    planned=("b",),
)


def test_forbidden_changes_and_requirements_are_problems_at_the_rule_to_blame() -> None:
    """Whatever CI system shows one form alone must show each of them."""
    found = [(trouble.verdict, trouble.id, trouble.path, trouble.line) for trouble in troubles(GATED)]

    assert found == [
        ("FORBIDDEN", "lost-events: get of pods/exec by everybody", "prod.yaml", 3),
        ("NOT MET", "new", "prod.yaml", 3),
        ("UNPROVEN", "b", "b", 1),
        ("NOT SHOWN", "open", "r.yaml", 1),
    ]
    (log,) = json.loads(as_sarif(GATED))["runs"]
    assert [result["ruleId"] for result in log["results"]] == ["FORBIDDEN", "NOT_MET", "UNPROVEN", "NOT_SHOWN"]
    assert {result["ruleId"] for result in log["results"]} <= {rule["id"] for rule in log["tool"]["driver"]["rules"]}
    assert [issue["check_name"] for issue in json.loads(code_quality(GATED))][:2] == [
        "auditproof/forbidden",
        "auditproof/not-met",
    ]
    assert "required: at least Metadata; remedy: change rule 2 (prod.yaml:3)" in workflow_commands(GATED)[1]


def test_junit_has_a_test_case_for_each_requirement_and_each_forbidden_change() -> None:
    """A failure if it keeps the run from passing, an error if it was not shown; known and acknowledged ones pass."""
    suite = ElementTree.fromstring(told_in_full(EMPTY, GATED)).find("testsuite")
    assert suite is not None
    kinds = ("failure", "error", "skipped")
    told = {
        f"{case.get('classname')}::{case.get('name')}": next(
            (kind for kind in kinds if case.find(kind) is not None), ""
        )
        for case in suite.iter("testcase")
        if str(case.get("classname")).startswith("auditproof")
    }

    assert told == {
        "auditproof.change::lost-events: get of pods/exec by everybody": "failure",
        "auditproof.change::exposed: get of secrets by everybody": "",
        "auditproof.requirements::new": "failure",
        "auditproof.requirements::known": "",
        "auditproof.requirements::met": "",
        "auditproof.requirements::open": "error",
    }
    assert (suite.get("failures"), suite.get("errors")) == ("2", "2")
    properties = [(found.get("name"), found.get("value")) for found in suite.iter("property")]
    assert ("acknowledged", "ann, T: a") in properties
    assert ("status", "known") in properties


def test_the_step_summary_is_under_60_lines_whatever_a_run_has_found() -> None:
    """It is read in a browser, above everything else; the report has the rest."""
    many = range(70)
    changes = [forbidden(f"r{n}", "lost-events", "exposed", by="ann" * (n % 2)) for n in many]
    entry = {"because": "a", "approvedBy": "b", "ticket": "", "until": None, "file": "audit-changes.yaml", "line": 4}
    gate = gate_record(*changes) | {"unused": [entry] * 9, "expired": [entry] * 9, "allowed": changes}
    found = report(
        *(proof(f"p{n}", "VIOLATED", reasons=[f"a\nb {n}" * 200]) for n in many),
        planned=tuple(f"n{n}" for n in many),
        parts={"gate": gate, "requirements": [requirement(f"q{n}", "p0", violated=n % 3 > 0) for n in many]},
        run=RunRecord(url="https://ci.test/run/1"),
    )

    text = step_summary(found)

    assert len(text.splitlines()) < 60
    assert "[artifacts of this run](https://ci.test/run/1#artifacts)" in text
    assert text.splitlines()[0].startswith("## ❌ This change may not go in: 35 changes are forbidden (")
    assert "| NOT MET |" in text
    assert "ann, T: a (audit-changes.yaml:4)" in text


def test_a_link_of_others_is_no_link() -> None:
    """A URL that is none, or that would end the link early, is left out."""
    for url in ("javascript:alert(1)", "https://ci.test/) [x](https://evil.test", "http://ci.test/1"):
        assert "](" not in step_summary(report(proof("a"), run=RunRecord(url=url)))
