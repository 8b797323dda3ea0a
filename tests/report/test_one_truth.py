"""Terminal, report, results.json, JUnit file and exit code say the same, whatever a test or a plugin makes of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from tests.support.fakes import TEST, case_file
from tests.support.told import NOT_SUPPORTED, PROVEN, UNPROVEN, VIOLATED, Told, fake_project, of_junit, told

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a policy, on a cluster that is a fake."""
    return fake_project(pytester, monkeypatch)


def agree(run: Told, verdict: str, code: int = 1) -> None:
    """The verdict of the whole run, wherever it is told."""
    assert run.code == code
    assert f'<header class="{verdict}">' in run.page
    assert (verdict in set(run.junit.values())) or (verdict == UNPROVEN and set(run.junit.values()) == {NOT_SUPPORTED})
    if verdict != PROVEN:
        assert "the server recorded what the policy decides" not in run.page.partition("<nav")[0]


SWALLOWED = {
    "try": """
def test_x(audit, alice):
    try:
        audit(alice, get("{pod}"))
    except Exception:
        pass
""",
    "attempt": """
def test_x(audit, alice):
    audit.attempt(alice, get("{pod}"))
""",
    "xfail": """
@pytest.mark.xfail(strict=False)
def test_x(audit, alice):
    audit(alice, get("{pod}"))
""",
    "xfail-strict": """
@pytest.mark.xfail(strict=True)
def test_x(audit, alice):
    audit(alice, get("{pod}"))
""",
    "xpass": """
@pytest.mark.xfail(strict=False)
def test_x(audit, alice):
    audit.attempt(alice, get("{pod}"))
""",
    "skipped-afterwards": """
def test_x(audit, alice):
    audit.attempt(alice, get("{pod}"))
    pytest.skip("enough")
""",
    "fixture": """
@pytest.fixture
def looked(audit, alice):
    audit.attempt(alice, get("{pod}"))
    pytest.skip("in a fixture")
def test_x(looked): pass
""",
    "teardown": """
@pytest.fixture
def looked(audit, alice):
    yield
    audit.attempt(alice, get("{pod}"))
def test_x(audit, alice, looked):
    audit(alice, get("web"))
""",
    "subtest": """
def test_x(audit, alice, subtests):
    with subtests.test("one"):
        audit(alice, get("{pod}"))
    audit(alice, get("web"))
""",
    "dynamic": """
def test_x(request, alice):
    request.getfixturevalue("audit").attempt(alice, get("{pod}"))
""",
}


def swallowing() -> str:
    """A test of every kind for both verdicts, and one that is fine."""
    tests = ['def test_fine(audit, alice):\n    audit(alice, get("web"))\n']
    for verdict in (VIOLATED, UNPROVEN):
        for number, text in enumerate(SWALLOWED.values()):
            name = f"{verdict.lower()}_{number}"
            tests.append(text.replace("test_x", f"test_{name}").replace("looked", f"looked_{name}"))
            tests[-1] = tests[-1].replace("{pod}", f"{verdict.lower()}-{number}")
    return "".join(tests)


@pytest.mark.parametrize("options", [(), ("-n", "1"), ("--runxfail",)], ids=" ".join)
def test_a_verdict_stands_whatever_the_test_makes_of_it(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    run = told(project, *options, test=swallowing())

    agree(run, VIOLATED)
    expected = {f"test_{v.lower()}_{n}": v for v in (VIOLATED, UNPROVEN) for n in range(len(SWALLOWED))}
    assert run.junit == {"test_fine": PROVEN, **expected}
    for name, verdict in expected.items():
        shown = {proof["verdict"] for proof in run.report["proofs"] if f"::{name}#" in proof["id"]}
        assert verdict in shown, name
        assert f"because of {name.removeprefix('test_').replace('_', '-')}" in run.terminal
    assert "the run ended before" not in run.page


def test_it_stands_where_every_worker_performs_it(project: pytest.Pytester) -> None:
    run = told(project, "-n", "2", "--dist=each", test=SWALLOWED["xfail"].replace("{pod}", "violated"))

    agree(run, VIOLATED)
    assert set(run.junit.values()) == {VIOLATED}


def test_a_test_that_lets_nobody_act_shows_nothing(project: pytest.Pytester) -> None:
    run = told(project, test="def test_x(audit): pass\n")

    agree(run, UNPROVEN)
    assert run.verdicts == {"test_x": UNPROVEN}
    assert run.junit == {"test_x": UNPROVEN}
    assert "sends no request" in run.terminal


@pytest.mark.parametrize(
    "test",
    [
        'def test_x(audit, alice): pytest.skip("no time")',
        '@pytest.mark.skip(reason="no time")\ndef test_x(audit, alice): pass',
        '@pytest.mark.xfail(run=False, reason="no time")\ndef test_x(audit, alice): pass',
        'def test_x(audit, alice): pytest.importorskip("no_such_module", reason="no time")',
    ],
)
def test_what_is_left_out_on_purpose_is_not_supported_and_alone_no_pass(project: pytest.Pytester, test: str) -> None:
    run = told(project, test=test)

    agree(run, UNPROVEN, code=5)
    assert run.verdicts == {"test_x": NOT_SUPPORTED}
    assert run.junit == {"test_x": NOT_SUPPORTED}
    assert run.reasons == ["skipped: no time"]
    assert "Nothing was shown" in run.page
    assert "nothing was shown: everything was skipped" in run.terminal


def test_a_whole_file_that_is_skipped_is_told(project: pytest.Pytester) -> None:
    project.path.joinpath("test_other.py").write_text(
        'import pytest\npytest.importorskip("no_such_module", reason="not here")\ndef test_y(audit): pass\n'
    )

    run = told(project, test='def test_x(audit, alice): audit(alice, get("web"))')

    agree(run, PROVEN, code=0)
    assert run.report["summary"] | {"performed": 1} == run.report["summary"]
    assert "test_other.py" in [proof["id"] for proof in run.report["proofs"] if proof["verdict"] == NOT_SUPPORTED]
    assert "1 not supported" in run.terminal


def test_a_skip_after_a_proof_is_told_beside_it(project: pytest.Pytester) -> None:
    test = 'def test_x(audit, alice):\n    audit(alice, get("web"))\n    pytest.skip("enough")\n'

    run = told(project, test=test)

    assert run.verdicts == {"test_x#1": PROVEN, "test_x#2": NOT_SUPPORTED}
    assert run.junit == {"test_x": NOT_SUPPORTED}
    assert run.code == 0
    assert "1 of 2 actions proven (1 not supported here)" in run.page


@pytest.mark.parametrize(
    ("test", "verdict", "says"),
    [
        ("    assert 1 == 2, 'odd'", VIOLATED, "AssertionError: odd"),
        ("    pytest.fail('odd')", VIOLATED, "odd"),
        (
            "    raise ValueError('odd')",
            UNPROVEN,
            "failed itself, which says nothing about the policy: ValueError: odd",
        ),
        ("    {}['odd']", UNPROVEN, "failed itself, which says nothing about the policy: KeyError: 'odd'"),
        ("    pytest.xfail('later')", UNPROVEN, "the test gave up (xfail): later"),
        ("    pytest.exit('enough', returncode=0)", UNPROVEN, "the run was ended: enough"),
    ],
)
def test_what_a_test_does_after_its_proof_is_told(project: pytest.Pytester, test: str, verdict: str, says: str) -> None:
    run = told(project, test=f'def test_x(audit, alice):\n    audit(alice, get("web"))\n{test}\n')

    agree(run, verdict)
    assert says in run.terminal
    assert run.junit == {"test_x": verdict}


def test_an_error_in_a_teardown_leaves_nothing_proven(project: pytest.Pytester) -> None:
    test = """
@pytest.fixture
def broken():
    yield
    raise ValueError("odd")
def test_x(audit, alice, broken):
    audit(alice, get("web"))
"""
    run = told(project, test=test)

    agree(run, UNPROVEN)
    assert "the test failed in its teardown, which says nothing about the policy: ValueError: odd" in run.reasons


REWRITERS = {
    "makereport": """
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome, report.longrepr = "passed", None
    return report
""",
    "made anew": """
from _pytest.reports import TestReport
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    return TestReport(item.nodeid, item.location, {}, "passed", None, call.when)
""",
    "logreport": """
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    report.outcome, report.longrepr = "passed", None
""",
    "teststatus": """
@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report):
    return "passed", ".", "PASSED"
""",
    "exit code": """
@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    session.exitstatus = 0
""",
    "no protocol": """
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    return True
""",
    "removed": """
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    del items[0]
""",
    "removed late": """
def pytest_collection_finish(session):
    del session.items[0]
""",
}


@pytest.mark.parametrize(
    ("name", "workers"), [*((name, ()) for name in REWRITERS), ("makereport", ("-n", "1")), ("removed", ("-n", "1"))]
)
def test_a_plugin_cannot_turn_it_green(project: pytest.Pytester, name: str, workers: tuple[str, ...]) -> None:
    cases = case_file(first="violated", second="web")

    run = told(project, *workers, cases=cases, conftest=REWRITERS[name])

    assert run.code == 1
    assert run.junit["first"] in (VIOLATED, UNPROVEN)
    assert run.report["summary"]["violated"] + run.report["summary"]["unproven"] >= 1
    assert '<header class="PROVEN">' not in run.page


def test_what_was_not_reached_says_why(project: pytest.Pytester) -> None:
    run = told(project, "-x", cases=case_file(first="violated", second="web", third="web"))

    agree(run, VIOLATED)
    assert run.report["notPerformed"] == ["it.audit.yaml::second", "it.audit.yaml::third"]
    assert run.junit == {"first": VIOLATED, "second": UNPROVEN, "third": UNPROVEN}
    assert "the run was stopped: stopping after 1 failures" in run.terminal


def test_what_was_not_selected_is_said(project: pytest.Pytester) -> None:
    run = told(project, "-k", "first", cases=case_file(first="web", second="violated"))

    agree(run, PROVEN, code=0)
    assert run.report["deselected"] == 1
    assert (
        "PROVEN: the server recorded what the policy decides: 1 of 1 actions proven. 1 more was not selected."
        in run.page
    )


@pytest.mark.parametrize("plugin", ["html", "junitxml", "terminal", "skipping"])
def test_plugins_that_are_missing_hide_nothing(project: pytest.Pytester, plugin: str) -> None:
    run = told(project, "-p", f"no:{plugin}", cases=case_file(first="violated", second="web"))

    agree(run, VIOLATED)
    assert run.junit == {"first": VIOLATED, "second": PROVEN}


@pytest.mark.parametrize("option", ["--setup-only", "--setup-plan", "--collect-only"])
def test_what_performs_no_test_claims_nothing(project: pytest.Pytester, option: str) -> None:
    project.path.joinpath("it.audit.yaml").write_text(case_file(first="violated"))
    with project.path.joinpath("conftest.py").open("a") as file:
        file.write(REWRITERS["exit code"])

    result = project.runpytest_inprocess("--audit-policy=policy.yaml", "--audit-report=out", option)

    assert result.ret == (0 if option == "--collect-only" else 5)
    assert "PROVEN" not in result.stdout.str()
    assert not project.path.joinpath("out").exists()


def test_a_file_that_cannot_be_collected_leaves_a_report(project: pytest.Pytester) -> None:
    project.path.joinpath("broken.audit.yaml").write_text("title: [")

    run = told(project, "--continue-on-collection-errors", cases=case_file(first="web"))

    agree(run, UNPROVEN)
    assert run.verdicts == {"first": PROVEN, "": UNPROVEN}


RERUN = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    for attempt in range(3):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if attempt < 2 and any(report.failed for report in reports):
            for report in reports:
                if report.failed:
                    report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
            continue
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        return True
"""


def test_a_verdict_is_not_retried_until_it_is_green(project: pytest.Pytester) -> None:
    test = """
tried = []
def test_x(audit, alice):
    tried.append(1)
    audit(alice, get("violated" if len(tried) == 1 else "web"))
def test_y(audit, alice):
    tried.append(1)
    audit(alice, get("web"))
    assert len(tried) > 4
"""
    run = told(project, test=test, conftest=RERUN)

    agree(run, VIOLATED)
    assert run.verdicts["test_x#1"] == VIOLATED
    assert any("in an earlier attempt of this test" in reason for reason in run.reasons)
    assert run.junit["test_x"] == VIOLATED


SMALL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))  # as a disk that is full before report.html is written
"""


def test_a_report_that_cannot_be_written_whole_is_told_and_no_pass(project: pytest.Pytester) -> None:
    project.path.joinpath("it.audit.yaml").write_text(case_file(first="web"))
    with project.path.joinpath("conftest.py").open("a") as file:
        file.write(SMALL)

    result = project.runpytest_subprocess("--audit-policy=policy.yaml", "--audit-report=out")

    out = project.path / "out"
    assert result.ret == 1
    assert "out/report.html cannot be written: File too large" in result.stdout.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert json.loads((out / "results.json").read_text())["summary"]["proven"] == 1
    assert of_junit(out / "junit.xml") == {"first": PROVEN}
    assert sorted(path.name for path in out.iterdir()) == ["junit.xml", "results.json"]


def test_the_page_of_pytest_html_is_written_where_it_is_asked_for_with_the_verdict_on_it(
    project: pytest.Pytester,
) -> None:
    """``--html`` is pytest-html's own page in the place that was given; the report is the same as without it."""
    run = told(project, "--html=own.html", "--self-contained-html", cases=case_file(first="violated"))

    agree(run, VIOLATED)
    page = (project.path / "own.html").read_text()
    assert "<strong>FAIL: VIOLATED: the server recorded something else than the policy decides (1 action)" in page
    assert "results-table" in page
    assert "results-table" not in run.page


def test_the_report_stays_where_pytest_html_is_told_to_write_over_it(project: pytest.Pytester) -> None:
    run = told(project, "--html=out/report.html", "--self-contained-html", cases=case_file(first="violated"))

    agree(run, VIOLATED)
    assert "results-table" not in run.page


def test_a_reader_that_goes_away_changes_nothing(project: pytest.Pytester) -> None:
    project.path.joinpath("it.audit.yaml").write_text(case_file(first="web", second="violated"))
    command = [sys.executable, "-m", "pytest", "--audit-policy=policy.yaml", "--audit-report=out"]
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(command, cwd=project.path, stdout=write, stderr=subprocess.PIPE, text=True, check=False)

    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads((project.path / "out" / "results.json").read_text())["summary"]["violated"] == 1
    assert of_junit(project.path / "out" / "junit.xml") == {"first": PROVEN, "second": VIOLATED}


HEARD = """
from pathlib import Path

class Heard:
    def pytest_runtest_logreport(self, report):
        if report.nodeid.endswith("test_first") and report.when == "teardown":
            Path("heard").touch()

def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # in the controller alone
        config.pluginmanager.register(Heard())
"""
TERMINATED = """
import os, signal, threading
from pathlib import Path
from auditproof.wait import wait_until

def test_first(audit, alice):
    audit(alice, get("web"))

def test_second(audit, alice):
    wait_until(lambda: Path("heard").exists() or None, what="what the first has shown to arrive", timeout_s=30)
    os.kill({pid}, signal.SIGTERM)
    threading.Event().wait(30)

def test_third(audit, alice):
    audit(alice, get("web"))
"""


@pytest.mark.parametrize(("pid", "options"), [("os.getpid()", ()), ("os.getppid()", ("-n", "1"))])
def test_a_run_that_is_terminated_reports_what_was_shown(
    project: pytest.Pytester, pid: str, options: tuple[str, ...]
) -> None:
    project.path.joinpath("test_it.py").write_text(TEST + TERMINATED.replace("{pid}", pid))
    with project.path.joinpath("conftest.py").open("a") as file:
        file.write(HEARD)

    result = project.runpytest_subprocess("--audit-policy=policy.yaml", "--audit-report=out", *options)

    report = json.loads((project.path / "out" / "results.json").read_text())
    assert result.ret == 128 + 15
    assert report["ended"] == "was terminated (SIGTERM)"
    assert {proof["id"]: proof["verdict"] for proof in report["proofs"]} == {"test_it.py::test_first#1": PROVEN}
    assert report["notPerformed"] == ["test_it.py::test_second", "test_it.py::test_third"]
    assert of_junit(project.path / "out" / "junit.xml")["test_third"] == UNPROVEN
    assert "the run was terminated (SIGTERM)" in result.stdout.str()


def test_one_dead_server_is_told_once(project: pytest.Pytester) -> None:
    count = 300
    cases = case_file(**{f"case_{number}": "dead" for number in range(count)}, last="web")

    run = told(project, cases=cases)

    assert run.code == 1
    assert list(run.junit.values()) == [UNPROVEN] * (count + 1)
    assert run.terminal.count("the API server died") < 20
    assert f"and {count} more, for the same reason" in run.terminal
    assert f"{count + 1} errors" in run.terminal
    assert len(run.terminal) < 12_000
    assert run.page.count("a line of its log") < 200


def test_a_name_that_is_no_text_here_makes_no_traceback(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")):
        monkeypatch.setenv(name, value)
    (project.path / "policy.yaml").rename(project.path / "pölicy.yaml")
    cases = case_file(first="web", second="violated").replace("title: Reads", "title: Lädt →")
    project.path.joinpath("it.audit.yaml").write_text(cases, encoding="utf-8")

    result = project.runpytest_subprocess("--audit-policy=pölicy.yaml", "--audit-report=out")

    assert result.ret == 1
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert '<header class="VIOLATED">' in (project.path / "out" / "report.html").read_text(encoding="utf-8")
    assert of_junit(project.path / "out" / "junit.xml") == {"first": PROVEN, "second": VIOLATED}


ON_1_36 = "violated-on-1-36"
VERSIONS = "--audit-kubernetes=1.36,1.37"
DIFFERS = """\
  - id: other
    title: Other
    as: alice
    do: {get: pods/other, in: shop}
    expect: {status: 200}
    because: The source.
    differs: [{until: "1.36", expect: {status: 201}, because: The other source.}]
  - {id: newer, title: Newer, as: alice, do: {get: pods/newer, in: shop}, since: "1.37"}
"""


def test_a_run_on_several_versions_has_every_test_once_for_each(project: pytest.Pytester) -> None:
    test = """
@pytest.mark.parametrize("pod", ["one", "two"])
def test_x(audit, alice, audit_kubernetes, pod):
    assert audit(alice, get(pod)).status == 200
    assert audit_kubernetes in ("1.36", "1.37")

def test_without(alice): ...
"""
    run = told(project, VERSIONS, test=test, cases=case_file(a="a") + DIFFERS)

    cases = ["a[1.36]", "a[1.37]", "newer[1.36]", "newer[1.37]", "other[1.36]", "other[1.37]"]
    tests = [f"test_x[{version}-{pod}]#1" for version in ("1.36", "1.37") for pod in ("one", "two")]
    assert sorted(run.verdicts) == cases + tests
    assert run.verdicts["newer[1.36]"] == NOT_SUPPORTED
    assert {proof["kubernetes"] for proof in run.report["proofs"]} == {"1.36", "1.37"}
    assert run.report["cluster"]["kubernetes"] == "v1.36.2, v1.37.2"
    agree(run, PROVEN, 0)
    planned = [(one["version"], one["summary"]["planned"]) for one in run.report["versions"]]
    assert planned == [("1.36", 5), ("1.37", 5)]
    assert "Kubernetes v1.36.2: 5 planned, 4 performed, 4 proven, 1 not supported" in run.terminal


def test_what_differs_between_versions_is_said_with_its_reason(project: pytest.Pytester) -> None:
    run = told(project, VERSIONS, cases=case_file(a="a", b=ON_1_36) + DIFFERS)

    agree(run, VIOLATED)
    rows = {row["id"].partition("::")[2]: row for row in run.report["differing"]}
    assert {name: [one["verdict"] for one in row["results"]] for name, row in rows.items()} == {
        "b": [VIOLATED, PROVEN],
        "newer": [NOT_SUPPORTED, PROVEN],
    }
    assert rows["b"]["why"] == ["1.36: because of violated-on-1-36"]
    assert rows["newer"]["why"] == ["1.36: needs Kubernetes 1.37"]
    assert rows["b"]["results"][0]["proof"] == "it.audit.yaml::b[1.36]"
    assert "2 cases differ between these versions" in run.terminal
    assert 'id="ap-versions"' in run.page
    assert "Kubernetes 1.36, 1.37: 2 cases differ." in run.page
    assert "it.audit.yaml::b[1.36]: because of violated-on-1-36" in run.terminal


def test_a_case_is_judged_by_what_it_expects_of_each_version(project: pytest.Pytester) -> None:
    run = told(project, VERSIONS, cases=case_file(a="a") + DIFFERS)

    because = {proof["id"].partition("::")[2]: proof["because"] for proof in run.report["proofs"]}
    assert because["other[1.36]"] == "The source.\nThe other source."
    assert because["other[1.37]"] == "The source."


def test_no_run_passes_that_has_shown_nothing_about_one_of_its_versions(project: pytest.Pytester) -> None:
    newer = case_file() + DIFFERS.splitlines(keepends=True)[-1]

    run = told(project, VERSIONS, cases=newer)

    assert run.code == 1
    assert '<header class="UNPROVEN">' in run.page
    assert "nothing was shown on Kubernetes 1.36: 1 of 2 actions proven (1 not supported here)." in run.page
    assert run.verdicts == {"newer[1.36]": NOT_SUPPORTED, "newer[1.37]": PROVEN}


def test_the_versions_can_be_chosen_as_tests_are(project: pytest.Pytester) -> None:
    run = told(project, VERSIONS, "-k", "1.37", cases=case_file(a="a", b=ON_1_36))

    assert list(run.verdicts) == ["a[1.37]", "b[1.37]"]
    agree(run, PROVEN, 0)
    assert "2 more were not selected. Kubernetes 1.36, 1.37." in run.page


def test_what_was_not_reached_on_a_version_is_no_difference(project: pytest.Pytester) -> None:
    run = told(project, VERSIONS, "-x", cases=case_file(a="a", b=ON_1_36) + DIFFERS)

    assert list(run.verdicts) == ["a[1.36]", "b[1.36]"]
    assert run.report["notPerformed"] == [
        f"it.audit.yaml::{name}"
        for name in ("a[1.37]", "b[1.37]", "newer[1.36]", "newer[1.37]", "other[1.36]", "other[1.37]")
    ]
    assert "differing" not in run.report
    assert "differ" not in run.page.partition("<nav")[0]
    agree(run, VIOLATED)


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_witnesses_of_every_version_are_those_that_the_rules_name(
    project: pytest.Pytester, options: tuple[str, ...]
) -> None:
    run = told(project, VERSIONS, "--audit-coverage=rules", *options)

    (rule,) = run.report["coverage"]["rules"]
    assert rule["witnesses"] == ["policy.yaml::rule-01-witness[1.36]", "policy.yaml::rule-01-witness[1.37]"]
    assert [proof["id"] for proof in run.report["proofs"]] == rule["witnesses"]
    agree(run, PROVEN, 0)


def test_one_version_is_reported_as_ever(project: pytest.Pytester) -> None:
    run = told(project, "--audit-kubernetes=1.36", cases=case_file(a="a"))

    assert list(run.verdicts) == ["a"]
    assert {"versions", "differing"}.isdisjoint(run.report)
    assert "kubernetes" not in run.report["proofs"][0]


def test_a_problem_is_reported_with_its_place_from_the_root_of_the_repository(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A violation is the policy's, what could not be shown is the case's; the id is what -k needs."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path.parent))
    (project.mkdir("audit") / "shop.audit.yaml").write_text(case_file(first="violated", second="unproven"))

    run = told(project, "--audit-formats=sarif,code-quality")

    here, case = project.path.name, "audit/shop.audit.yaml"
    assert re.search(rf"^{case}:\d+: first: VIOLATED", run.terminal, re.MULTILINE)
    assert re.search(rf"^VIOLATED policy.yaml:\d+: {case}::first: ", run.terminal, re.MULTILINE)
    assert re.search(rf"^UNPROVEN {case}:\d+: {case}::second: ", run.terminal, re.MULTILINE)
    assert f"::error file={here}/policy.yaml,line=" in run.terminal
    assert f"::error file={here}/{case},line=" in run.terminal
    sarif = (project.path / "out" / "results.sarif").read_text()
    assert re.findall(r'"uri": "(.*)"', sarif) == [f"{here}/policy.yaml", f"{here}/{case}"]
    quality = json.loads((project.path / "out" / "gl-code-quality.json").read_text())
    assert [one["location"]["path"] for one in quality] == [f"{here}/policy.yaml", f"{here}/{case}"]
    junit = (project.path / "out" / "junit.xml").read_text()
    assert set(re.findall(r'<testcase [^>]*file="(.*?)"', junit)) == {f"{here}/{case}"}
