"""results.json after the run: rendered again, and held against another one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.analysis.coverage import Depth, plan_coverage
from auditproof.analysis.diff import diff
from auditproof.analysis.lint import examine
from auditproof.audit.policy.load import parse_policy
from auditproof.cli.main import main
from auditproof.errors import AuditproofError
from auditproof.kube.discovery import load_served
from auditproof.report.change import change_record
from auditproof.report.compare import compare
from auditproof.report.document import conformance_report, write_results
from auditproof.report.html.page import report_pages
from auditproof.report.model import (
    ClusterRecord,
    GateRecord,
    PolicyRecord,
    ProofRecord,
    RequirementRecord,
    Sections,
    results_text,
)
from auditproof.report.policy_sections import lint_record
from auditproof.report.read import load_report
from auditproof.report.rule_coverage import coverage_record
from tests.report.test_report import forbidden, gate_record, requirement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLICY = {
    "path": "prod.yaml",
    "sha256": "a" * 64,
    "text": "rules:\n- level: Metadata\n",
    "ruleLines": [2],
    "warnings": [],
}
CLUSTER = {"provider": "embedded", "kubernetes": "v1.37.2"}
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def proof(name: str, verdict: str = "PROVEN", level: str = "Metadata", rule: int = 0) -> dict[str, Any]:
    """A proof with nothing but what the schema wants."""
    keys = ("method", "path", "verb", "apiGroup", "resource", "subresource", "namespace", "name")
    return {
        "id": name,
        "identity": {"user": "alice", "groups": [], "kind": "x509"},
        "request": dict.fromkeys(keys, "") | {"method": "GET", "path": "/api"},
        "auditID": "id-1",
        "expected": {
            "level": "Metadata",
            "rule": rule,
            "line": None if rule is None else 2,
            "stages": [],
            "source": "policy",
        },
        "observed": {"level": level, "stages": [] if level == "None" else ["ResponseComplete"], "status": 200},
        "verdict": verdict,
        "reasons": [] if verdict == "PROVEN" else ["so it is"],
        "policy": {"path": "prod.yaml", "sha256": "a" * 64},
    }


def results(path: Path, *proofs: dict[str, Any], planned: tuple[str, ...] = (), **about: Any) -> str:
    """The path of a results.json with these proofs."""
    ids = [*(record["id"] for record in proofs), *planned]
    policy, cluster = POLICY | about.pop("policy", {}), CLUSTER | about.pop("cluster", {})
    document = conformance_report(
        [ProofRecord.model_validate(record) for record in proofs],
        policy=PolicyRecord.model_validate(policy),
        cluster=ClusterRecord.model_validate(cluster),
        planned=ids,
        started=NOON,
        finished=NOON,
        sections=Sections.model_validate(about.pop("sections", {})),
    )
    write_results(path, document)
    return str(path)


def test_a_report_is_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = results(tmp_path / "results.json", proof("s::one"), proof("s::two", "VIOLATED"))
    page = tmp_path / "page.html"

    assert main(["report", source, "--output", str(page)]) == 0

    assert capsys.readouterr().out == f"{page}\n"
    text = page.read_text()
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert "<title>auditproof: prod.yaml</title>" in text
    assert "the server recorded something else than the policy decides (1 action)" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "details.html", "evidence-1.html", "evidence.html", "page.html", "results.json",
    ]  # fmt: skip
    assert 'id="proof-s::two"' in (tmp_path / "evidence-1.html").read_text()
    assert 'href="page.html"' in (tmp_path / "details.html").read_text()
    assert "tests.html" not in text, "there is none in this folder"


def test_who_reviewed_a_change_can_be_said_afterwards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = results(tmp_path / "results.json", proof("s::one"))
    page = tmp_path / "report.html"
    (tmp_path / "tests.html").write_text("of pytest-html")

    assert main(["report", source, "--output", str(page), "--ticket", "CHG-1", "--reviewer", " Zoë "]) == 0

    text = page.read_text()
    assert "<dd>CHG-1</dd>" in text
    assert "<dd>Zoë</dd>" in text
    assert 'href="tests.html"' in text
    assert "Zoë" not in (tmp_path / "results.json").read_text(), "the results stay as they are"


def test_no_evidence_of_a_larger_run_is_left_and_no_page_of_anyone_else_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = str(tmp_path / "report.html")
    large = results(tmp_path / "large.json", *(proof(f"s::{number}") for number in range(600)))
    small = results(tmp_path / "small.json", proof("s::one"))
    assert main(["report", large, "--output", page]) == 0
    assert (tmp_path / "evidence-3.html").is_file()
    (tmp_path / "evidence-2.html").write_text("Evidence of a court.")

    assert main(["report", small, "--output", page]) == 0

    left = sorted(path.name for path in tmp_path.glob("evidence-*.html"))
    assert left == ["evidence-1.html", "evidence-2.html"]


def test_an_output_that_is_a_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = results(tmp_path / "results.json", proof("s::one"))

    assert main(["report", source, "--output", "."]) == 4

    assert "--output: . is a folder; name the file to write" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["details.html", "evidence.html", "evidence-1.html", "tests.html"])
def test_a_ticket_with_the_name_of_another_page_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    source = results(tmp_path / "results.json", proof("s::one"))

    assert main(["report", source, "--output", str(tmp_path / name)]) == 4

    assert f"--output: {name} is the name of another page of the report" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def wrong(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "this is not JSON"),
        ("[]", "a results.json is a JSON object, this is a list"),
        ("{}", "this is apiVersion None and kind None; expected are apiVersion auditproof/v1"),
        ('{"apiVersion": "auditproof/v2", "kind": "ConformanceReport"}', "this is apiVersion auditproof/v2"),
        ('{"apiVersion": "auditproof/v1", "kind": "ConformanceReport"}', "$.policy: Field required"),
    ],
)
@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_file_that_is_no_results_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, text: str, says: str
) -> None:
    file = wrong(tmp_path / "r.json", text)

    assert main([command, file, *([file] if command == "compare" else [])]) == 4

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{file}: ")
    assert says in line


def test_what_is_wrong_inside_is_told_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.json"
    document = json.loads((tmp_path / results(file, proof("s::one"))).read_text())
    document["proofs"][0]["verdict"] = "FINE"
    file.write_text(json.dumps(document))

    assert main(["report", str(file)]) == 4

    assert "$.proofs[0].verdict: Input should be 'VIOLATED', 'UNPROVEN'" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = results(tmp_path / "results.json", proof("s::one"))
    assert main(["report", source, "--output", str(tmp_path / "missing" / "page.html")]) == 4
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_a_run_is_the_same_as_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = results(tmp_path / "r.json", proof("s::one"), proof("s::two"))
    assert main(["compare", source, source]) == 0
    assert capsys.readouterr().out == "no difference: 2 the same, 0 different, 0 in one run only\n"


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    first = results(
        tmp_path / "a.json", proof("s::alike"), proof("s::other-rule"), proof("s::worse"), proof("s::gone"),
        proof("prod.yaml::rule-01-witness"),
    )  # fmt: skip
    second = results(
        tmp_path / "b.json",
        proof("s::alike"),
        proof("s::other-rule", rule=1),
        proof("s::worse", "VIOLATED", "None"),
        proof("new.yaml::rule-01-witness"),
        planned=("s::new",),
        policy={"path": "new.yaml"},
        cluster={"kubernetes": "v1.38.0"},
    )
    return [first, second]


def test_two_runs_are_told_apart_the_worst_first(two: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *two]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "different: 2 the same, 2 different, 2 in one run only",
        "  policy: prod.yaml → new.yaml",
        "  Kubernetes: v1.37.2 → v1.38.0",
        "  decision: PASS → FAIL",
        "",
        "s::worse  ",
        "  first   PROVEN, recorded Metadata at ResponseComplete, by rule 1",
        "  second  VIOLATED, recorded None, by rule 1",
        "",
        "s::other-rule  ",
        "  first   PROVEN, recorded Metadata at ResponseComplete, by rule 1",
        "  second  PROVEN, recorded Metadata at ResponseComplete, by rule 2",
        "",
        "only in the first run:",
        "  s::gone",
        "",
        "only in the second run:",
        "  s::new",
    ]


def test_programs_and_tickets_get_the_same(two: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *two, "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [item["id"] for item in found["differing"]] == ["s::worse", "s::other-rule"]
    assert (found["onlyFirst"], found["onlySecond"], found["alike"]) == (["s::gone"], ["s::new"], 2)

    assert main(["compare", *two, "--format", "markdown"]) == 1
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert all(line.count("|") == 4 for line in table)


def test_a_requirement_that_stands_differently_is_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its requests may be recorded alike in both runs: what is computed decides."""
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file, violated in zip(files, (False, True), strict=True):
        results(file, proof("s::one"), sections={"requirements": [requirement("cis", "s::one", violated=violated)]})

    assert main(["compare", *map(str, files)]) == 1
    assert "  requirement cis: MET → NOT MET" in capsys.readouterr().out
    assert main(["compare", *map(str, files), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["requirements"] == [{"id": "cis", "first": "MET", "second": "NOT MET"}]


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Any]:
    """A results.json that has everything of a change, of lint and of coverage."""
    served = load_served("1.37")
    rule = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  users: [bob]\n"
    old = parse_policy(rule.encode(), path="old.yaml")
    new = parse_policy(f"{rule}- level: None\n- level: None\n  users: [alice]\n".encode(), path="new.yaml")
    change = change_record(diff(old, parse_policy(rule.replace("bob", "eve").encode(), path="new.yaml"), served))
    sections = Sections(
        change=change,
        lint=lint_record(examine(new, served)),
        coverage=coverage_record(plan_coverage(new, served, Depth.CONDITIONS), "new.yaml"),
        gate=GateRecord.model_validate(
            gate_record(forbidden("pods", "exposed"), forbidden("secrets", "more", by="ann"))
        ),
        requirements=(RequirementRecord.model_validate(requirement("cis", "s::not", violated=True)),),
    )
    ids = [item for part in change.changes for item in (part.proofs.old, part.proofs.new)]
    document = conformance_report(
        [ProofRecord.model_validate(proof(name)) for name in ids],
        policy=PolicyRecord.model_validate(POLICY),
        cluster=ClusterRecord.model_validate(CLUSTER),
        planned=[*ids, "s::not"],
        started=NOON,
        finished=NOON,
        sections=sections,
    )
    found: dict[str, Any] = json.loads(results_text(document))
    found["change"]["changes"] = found["change"]["changes"][:2]
    found["lint"]["findings"] = found["lint"]["findings"][:2]
    return found


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a document; of a list the first."""
    keys = value if isinstance(value, dict) else range(len(value[:1])) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def damaged(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The document without one of its keys, or with something else there."""
    for path in places(document):
        for other in (None, 5):
            copy = json.loads(json.dumps(document))
            part = copy
            for key in path[:-1]:
                part = part[key]
            if other is None:
                del part[path[-1]]
            else:
                part[path[-1]] = other
            yield copy


def test_whatever_is_missing_or_wrong_in_a_file_it_is_rendered_or_told(tmp_path: Path, told: dict[str, Any]) -> None:
    file = tmp_path / "r.json"
    rendered = refused = 0
    for document in damaged(told):
        file.write_text(json.dumps(document))
        try:
            report = load_report(file)
        except AuditproofError:
            refused += 1
            continue
        for page in report_pages(report).values():
            page()
        assert compare(report, report).same
        rendered += 1
    assert rendered > 20
    assert refused > 50


def test_a_file_that_does_not_add_up_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.json"
    document = json.loads((tmp_path / results(file, proof("s::one"), proof("s::two", "VIOLATED"))).read_text())

    file.write_text(json.dumps(document | {"summary": document["summary"] | {"proven": 2, "violated": 0}}))
    assert main(["report", str(file)]) == 4
    said = "$.summary: it says 2 proven, 0 violated, but the proofs count 1 proven, 1 violated"
    assert said in capsys.readouterr().err

    twice = document["proofs"][:1] * 2
    summary = document["summary"] | {"proven": 2, "violated": 0}
    file.write_text(json.dumps(document | {"proofs": twice, "summary": summary}))
    assert main(["report", str(file)]) == 4
    assert "$.proofs: some have the same id" in capsys.readouterr().err
