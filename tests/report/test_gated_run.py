"""A run with a base and requirements: what keeps it from passing is in every output, and in the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.fakes import case_file
from tests.support.told import PROVEN, VIOLATED, Told, fake_project, of_junit, told

pytest_plugins = ["pytester"]

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
SECRETS = "- level: Metadata\n  resources: [{group: '', resources: [secrets]}]\n"
NO_EXEC = "- level: None\n  resources: [{group: '', resources: [pods/exec]}]\n"
REST = "- level: Request\n"
BASE = HEAD + SECRETS + REST
WITHOUT_EXEC = HEAD + NO_EXEC + SECRETS + REST
ENTRY = """\
apiVersion: auditproof/v1
kind: AcknowledgedChanges
changes:
- requests: [{resources: [pods/exec]}]
  effects: [lost-events]
  because: Nobody may use exec.
  approvedBy: ann
  ticket: CHG-1
"""
OURS = """\
apiVersion: auditproof/v1
kind: Requirements
title: Ours
requirements:
- id: exec
  title: Who enters a container is recorded
  for: [{resources: [pods/exec]}]
  level: {atLeast: Metadata}
  because: it is an intrusion
  source: us
- id: endpoints
  title: Endpoints are not recorded
  for: [{resources: [endpoints], verbs: [get]}]
  level: {atMost: None}
  because: they are noise
  source: us
"""


@pytest.fixture(autouse=True)
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose policy loses the events of pods/exec, on a cluster that is a fake."""
    made = fake_project(pytester, monkeypatch)
    made.path.joinpath("base.yaml").write_text(BASE)
    made.path.joinpath("policy.yaml").write_text(WITHOUT_EXEC)
    made.path.joinpath("ours.yaml").write_text(OURS)
    return made


def gated(project: pytest.Pytester, *options: str, cases: str = case_file(a="web")) -> Told:
    return told(project, "--audit-base=base.yaml", *options, cases=cases)


LOST = "lost-events: get, create of pods/exec by everybody except failed logins (401)"


def change_cases(run: Told) -> dict[str, str]:
    return {name: verdict for name, verdict in run.junit.items() if name.startswith(("lost", "exposed", "more"))}


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=" ".join)
def test_a_change_that_loses_something_may_not_go_in_although_all_of_it_is_proven(
    project: pytest.Pytester, options: tuple[str, ...]
) -> None:
    """The gate is computed; that the server follows both policies is another statement."""
    run = gated(project, *options)

    says = "This change may not go in: 1 change is forbidden (lost-events of pods/exec)."
    assert run.code == 1
    assert run.report["decision"] == {"passes": False, "word": "FAIL", "sentence": says}
    assert run.report["statements"]["faithful"]["word"] == PROVEN
    assert run.report["statements"]["change"]["word"] == "records less"
    assert f"\n{says}\n" in run.terminal
    assert "faithful: PROVEN. The server recorded what the policy decides" in run.terminal
    assert "FORBIDDEN policy.yaml:4: lost-events: " in run.terminal
    assert " passed, 1 forbidden in " in run.terminal
    assert says in run.page
    assert list(change_cases(run).values()) == [VIOLATED]
    assert run.report["gate"]["forbidden"][0]["what"] == "pods/exec"
    assert run.report["gate"]["decision"] == "1 change is forbidden (lost-events of pods/exec)."


def test_a_forbidden_change_has_the_proofs_of_its_difference(project: pytest.Pytester) -> None:
    """A reader finds the events before and after that show it."""
    run = gated(project)

    (lost,) = run.report["gate"]["forbidden"]
    proofs = {proof["id"]: proof for proof in run.report["proofs"]}
    assert lost["proofs"] == {"old": "base.yaml::change-01", "new": "policy.yaml::change-01"}
    assert proofs[lost["proofs"]["new"]]["request"]["path"].startswith("/api/v1/namespaces/")
    assert "/exec" in proofs[lost["proofs"]["new"]]["request"]["path"]


def test_a_forbidden_change_has_a_request_of_its_own_if_no_difference_is_shown_by_one(
    project: pytest.Pytester,
) -> None:
    """The difference is about all requests, and shown by another one; the ticket says which request is forbidden."""
    project.path.joinpath("policy.yaml").write_text(HEAD + "- level: Metadata\n")
    project.path.joinpath("base.yaml").write_text(HEAD + "- level: Request\n")

    run = gated(project, "--audit-only=configmaps", "--audit-forbid=lost")

    (lost,) = run.report["gate"]["forbidden"]
    proofs = {proof["id"]: proof for proof in run.report["proofs"]}
    assert lost["proofs"] == {"old": "base.yaml::forbidden-01", "new": "policy.yaml::forbidden-01"}
    for side in ("old", "new"):
        assert proofs[lost["proofs"][side]]["request"]["resource"] == "configmaps"
    assert proofs["policy.yaml::change-01"]["request"]["resource"] != "configmaps"
    assert '<span class="label VIOLATED">forbidden: lost-bodies of configmaps</span>' in run.page
    details = (project.path / "out" / "details.html").read_text()
    assert 'shown by a request of this kind: <a href="evidence-1.html#' in details


def test_an_acknowledged_change_may_go_in_and_says_who_approved_it(project: pytest.Pytester) -> None:
    """The file next to the policy is reviewed with it."""
    project.path.joinpath("audit-changes.yaml").write_text(ENTRY)

    run = gated(project)

    assert run.code == 0, run.terminal
    assert run.report["decision"]["sentence"].startswith(
        "This change may go in: nothing forbidden (lost, exposed) is left; 1 change acknowledged; "
        "the server recorded what the policy decides: "
    )
    assert list(change_cases(run).values()) == [PROVEN]
    entry = "acknowledged lost-events of pods/exec: ann, CHG-1: Nobody may use exec. (audit-changes.yaml:4)"
    assert entry in run.terminal


def test_an_entry_that_is_over_acknowledges_nothing_and_is_reported(project: pytest.Pytester) -> None:
    entry = ENTRY + "  until: 2020-01-31\n"
    project.path.joinpath("audit-changes.yaml").write_text(entry)

    run = gated(project)

    assert run.code == 1
    assert "audit-changes.yaml:4: this acknowledgement ended on 2020-01-31: renew it, or remove it" in run.terminal


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--audit-forbid=exposed",), 0),
        (("--audit-forbid=lost-bodies,exposed",), 0),
        (("--audit-forbid=none",), 0),
        (("--audit-only=secrets",), 0),
        (("--audit-only=secrets,pods/exec",), 1),
        (("--audit-forbid=lost-events",), 1),
    ],
)
def test_what_is_forbidden_is_chosen_as_in_diff(project: pytest.Pytester, options: tuple[str, ...], code: int) -> None:
    run = gated(project, *options)

    assert run.code == code
    assert run.report["decision"]["passes"] is (code == 0)


def test_what_is_allowed_is_in_the_report_all_the_same(project: pytest.Pytester) -> None:
    """A reader of the report sees every loss, also one that this run does not forbid."""
    run = gated(project, "--audit-forbid=exposed")

    assert [one["what"] for one in run.report["gate"]["allowed"]] == ["pods/exec"]
    assert run.report["statements"]["change"]["lost"] == 1


def test_a_requirement_that_the_base_meets_is_new_and_one_that_it_does_not_meet_is_known(
    project: pytest.Pytester,
) -> None:
    """With a base, a run fails only for what the change makes worse."""
    run = gated(project, "--audit-requirements=ours.yaml", "--audit-forbid=none")

    states = {one["id"]: (one["status"], one["met"], one["shown"]) for one in run.report["requirements"]}
    assert states == {"exec": ("new", False, True), "endpoints": ("known", False, True)}
    assert run.code == 1
    assert {run.junit["exec"], run.junit["endpoints"]} == {VIOLATED, PROVEN}
    assert run.junit["exec"] == VIOLATED
    assert run.report["decision"]["sentence"] == (
        "This change may not go in: 1 of 2 requirements is newly not met (exec)."
    )
    assert "1 of 2 requirements is known not to be met (endpoints)." in run.terminal
    assert ", 1 not met in " in run.terminal
    assert (
        "required: at least Metadata; remedy: insert before rule 1 (line 4) a rule with level: Metadata" in run.terminal
    )


def test_a_requirement_that_the_change_meets_again_is_fixed(project: pytest.Pytester) -> None:
    project.path.joinpath("policy.yaml").write_text(BASE)
    project.path.joinpath("base.yaml").write_text(WITHOUT_EXEC)

    run = gated(project, "--audit-requirements=ours.yaml")

    assert {one["id"]: one["status"] for one in run.report["requirements"]} == {"exec": "fixed", "endpoints": "known"}
    assert run.code == 0, run.terminal
    assert "1 of 2 requirements is known not to be met (endpoints); 1 newly met (exec); " in run.terminal


@pytest.mark.parametrize(("fail_on", "code"), [("unmet", 1), ("new", 0), ("never", 0)])
def test_which_requirements_fail_a_run_is_chosen(project: pytest.Pytester, fail_on: str, code: int) -> None:
    project.path.joinpath("policy.yaml").write_text(BASE)

    run = gated(project, "--audit-requirements=ours.yaml", f"--audit-fail-on={fail_on}")

    assert run.code == code
    assert run.junit["endpoints"] == (VIOLATED if code else PROVEN)


def test_an_unmet_requirement_fails_a_run_without_a_base_unless_someone_has_accepted_it(
    project: pytest.Pytester,
) -> None:
    project.path.joinpath("policy.yaml").write_text(BASE)
    run = told(project, "--audit-requirements=ours.yaml", cases=case_file(a="web"))
    assert run.code == 1
    assert run.report["decision"]["sentence"].startswith("1 of 2 requirements is not met (endpoints); PROVEN: ")

    entry = "requirements:\n- {requirement: endpoints, because: later, approvedBy: ann}\n"
    project.path.joinpath("audit-changes.yaml").write_text(ENTRY.partition("changes:")[0] + entry)
    run = told(project, "--audit-requirements=ours.yaml", cases=case_file(a="web"))
    assert run.code == 0, run.terminal
    assert "acknowledged endpoints is not met: ann: later (audit-changes.yaml:4)" in run.terminal


def refused(project: pytest.Pytester, *options: str) -> str:
    """The message of a usage error: nothing was collected or started."""
    result = project.runpytest_inprocess("--audit-policy=policy.yaml", "--audit-report=out", *options)
    assert int(result.ret) == 4
    assert not (project.path / "out" / "results.json").exists()
    assert "Traceback" not in result.stderr.str()
    return result.stderr.str()


@pytest.mark.parametrize(
    ("options", "entries", "says"),
    [
        (("--audit-forbid=losst",), "", '--audit-forbid: unknown effect "losst"; did you mean "lost"?'),
        (("--audit-only=pods/exce",), "", '--audit-only: pods has no subresource "exce"; did you mean "exec"?'),
        (("--audit-fail-on=newer",), "", "--audit-fail-on: invalid value 'newer'"),
        (("--audit-acknowledged=nowhere.yaml",), "", "nowhere.yaml:1:1: cannot be read: No such file"),
        (
            (),
            ENTRY.replace("ann", "TODO"),
            "audit-changes.yaml:7:15: approvedBy is still to",
        ),
        ((), ENTRY.replace("pods/exec", "pod"), "audit-changes.yaml:4:"),
        (
            ("--audit-requirements=ours.yaml",),
            ENTRY + "requirements:\n- {requirement: exce, because: later, approvedBy: ann}\n",
            'audit-changes.yaml:10:17: unknown requirement "exce"; did you mean "exec"?',
        ),
    ],
)
def test_a_mistake_ends_the_run_before_anything_starts(
    project: pytest.Pytester, options: tuple[str, ...], entries: str, says: str
) -> None:
    """Nothing is acknowledged, or left out, by accident."""
    if entries:
        project.path.joinpath("audit-changes.yaml").write_text(entries)

    assert says in refused(project, "--audit-base=base.yaml", *options)


@pytest.mark.parametrize("option", ["--audit-forbid=lost", "--audit-only=secrets"])
def test_an_option_of_the_gate_needs_a_base(project: pytest.Pytester, option: str) -> None:
    assert f"{option.partition('=')[0]} needs --audit-base" in refused(project, option)


def test_an_ini_key_of_the_gate_needs_none_because_it_is_for_all_runs(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\naudit_forbid = lost\naudit_only = secrets\naudit_fail_on = new\n")

    assert told(project, cases=case_file(a="web")).code == 0
    assert gated(project).code == 0
    project.makeini("[pytest]\naudit_only = pods/exec\n")
    assert gated(project).code == 1


def test_the_gate_is_the_same_for_several_versions(project: pytest.Pytester) -> None:
    """What all versions have in common is there once."""
    run = gated(project, "--audit-kubernetes=1.36,1.37")

    (lost,) = run.report["gate"]["forbidden"]
    assert "kubernetes" not in lost
    assert lost["proofs"] == {"old": "base.yaml::change-01[1.36]", "new": "policy.yaml::change-01[1.36]"}
    assert run.code == 1
    assert (
        "1 change is forbidden (lost-events of pods/exec). Kubernetes 1.36, 1.37" in run.report["decision"]["sentence"]
    )


def test_a_violated_case_does_not_hide_what_is_forbidden(project: pytest.Pytester) -> None:
    """Both statements are made; neither stands for the other."""
    run = gated(project, cases=case_file(a="violated"))

    assert run.report["statements"]["faithful"]["word"] == VIOLATED
    assert run.report["decision"]["sentence"].startswith(
        "This change may not go in: 1 change is forbidden (lost-events of pods/exec); "
        "the server recorded something else than the policy decides (1 action): "
    )


def test_the_step_summary_has_the_decision_first(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = project.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    gated(project, "--audit-requirements=ours.yaml")

    lines = summary.read_text().splitlines()
    assert lines[0].startswith("## ❌ This change may not go in: 1 change is forbidden")
    assert any(line.startswith("| Change | records less |") for line in lines)
    assert any(line.startswith("| NOT MET (new) | exec: Who enters a container is recorded |") for line in lines)
    assert len(lines) < 60


def test_a_report_is_rendered_again_with_the_same_decision(project: pytest.Pytester) -> None:
    run = gated(project)
    results = Path("out/results.json")
    assert json.loads(results.read_text()) == run.report
    assert of_junit(Path("out/junit.xml")) == run.junit
