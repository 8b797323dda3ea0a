"""Projects that have nothing to do with auditproof, in an installation that has it: they are as without it."""

from __future__ import annotations

import re

import pytest

from auditproof.options import OPTIONS
from tests.support.small_project import POLICY

pytest_plugins = ["pytester"]

TRAIL = "# the audit trail of a shop\ntrail:\n  - who: me\n"
FIXTURES = """
import pytest

@pytest.fixture
def audit():
    return []

@pytest.fixture
def audit_backend_start():
    return lambda: "sql"
"""
TESTS = """
import pytest

def test_list(audit):
    audit.append(1)

def test_backend(audit_backend_start):
    assert audit_backend_start() == "sql"

@pytest.mark.xfail(reason="not yet")
def test_later(audit):
    assert audit
"""
STRICT = "--strict-markers --strict-config -W error"


@pytest.fixture
def foreign(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A strict project with fixtures, marks and a file that have names of auditproof's."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:anyio")
    for option in OPTIONS:
        monkeypatch.delenv(option.variable or "-", raising=False)
    pytester.makeini(f"[pytest]\naddopts = {STRICT}\nxfail_strict = true\n")
    pytester.makeconftest(FIXTURES)
    pytester.makepyfile(test_own=TESTS)
    pytester.path.joinpath("trail.audit.yaml").write_text(TRAIL)
    return pytester


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n2")], ids=["alone", "workers"])
def test_its_own_fixtures_and_files_are_its_own(foreign: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """Their names are also auditproof's; nothing is judged, collected or reported by it."""
    result = foreign.runpytest_subprocess(*workers)

    result.assert_outcomes(passed=2, xfailed=1)
    assert "audit proofs" not in result.stdout.str()


def test_its_misspelt_marks_are_errors(foreign: pytest.Pytester) -> None:
    """No mark of auditproof's is registered there that could be meant for another."""
    foreign.makepyfile(test_marked="import pytest\n\n@pytest.mark.change\ndef test_one(): ...\n")

    result = foreign.runpytest_subprocess("test_marked.py")  # pytest keeps the marks of other runs in a process

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["'change' not found in `markers` configuration option"])


def test_only_these_fixtures_and_marks_are_registered(foreign: pytest.Pytester) -> None:
    """Every name begins with audit: whoever changes the list takes names away from all projects."""
    fixtures = foreign.runpytest_inprocess("--fixtures", "-q", "-p", "no:conftest", "--noconftest").stdout.str()
    own = fixtures.partition("fixtures defined from auditproof.plugin.entry")[2].partition("fixtures defined from")[0]
    marks = foreign.runpytest_inprocess("--markers").stdout.str()

    assert set(re.findall(r"^(\w+)(?: \[\w+ scope\])? -- ", own, re.MULTILINE)) == {
        "audit",
        "audit_backend",
        "audit_backend_start",
        "audit_beside",
        "audit_kubernetes",
        "audit_policy",
    }
    known = set(re.findall(r"^@pytest\.mark\.(\w+)", marks, re.MULTILINE))
    assert {name for name in known if "audit" in name} == {"audit_policy", "audit_server", "audit_spoils"}
    assert not known & {"standard", "witness", "change", "requirement", "detection", "backends", "covers", "own_policy"}


def test_options_and_ini_keys_begin_with_audit() -> None:
    assert all(option.flag.startswith("--audit-") for option in OPTIONS)
    assert all(option.ini.startswith("audit_") for option in OPTIONS if option.ini)


def test_a_file_of_another_program_is_an_error_where_it_was_meant(foreign: pytest.Pytester) -> None:
    """A case file without its first lines must not be missed: by name, or in a run that concerns auditproof."""
    foreign.path.joinpath("policy.yaml").write_text(POLICY)

    for options in (["trail.audit.yaml"], ["--audit-policy=policy.yaml", "--co"]):
        result = foreign.runpytest_inprocess(*options)
        result.stdout.fnmatch_lines(["*trail.audit.yaml:2:1: apiVersion: Field required"])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("apiVersion: auditproof/v2\ntrail: []\n", "utf-8"), ("kind: CaseFile\n", "utf-8"), ("kind: CaseFile", "utf-16")],
)
def test_a_file_that_is_almost_a_case_file_is_an_error(foreign: pytest.Pytester, text: str, encoding: str) -> None:
    foreign.path.joinpath("almost.audit.yaml").write_text(text, encoding=encoding)

    foreign.runpytest_inprocess().assert_outcomes(errors=1)


def test_a_fixture_that_asks_for_the_one_it_overrides_is_judged(foreign: pytest.Pytester) -> None:
    """A project may wrap the fixture; what its tests show is still judged."""
    foreign.makeconftest("import pytest\n\n@pytest.fixture\ndef audit(audit):\n    return audit\n")
    foreign.makepyfile(test_own="def test_one(audit): ...")

    result = foreign.runpytest_inprocess("test_own.py")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*test_one: no policy is given to judge this test by: *"])
