"""The plugin in pytest, without any server: collection, selection, options, and what it costs who does not use it.

Whatever would make a run directory fails the test: so nothing was started.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import auditproof.plugin.hooks
import auditproof.plugin.reporting  # noqa: F401 - here, and not again in every pytest within this process
from auditproof import content
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.options import OPTIONS
from auditproof.plugin.options import REPORT_FILES
from tests.support.small_project import POLICY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ["pytester"]

FILE = """\
apiVersion: auditproof/v1
kind: CaseFile
title: Pods are read
identities:
  alice: {user: alice}
cases:
"""
CASE = """\
  - id: %(id)s
    title: Alice reads a pod
    as: alice
    do: {get: pods/web, in: shop}
    marks: [%(mark)s]
"""
IDS = ("read-one", "read-two", "write-one")


def case_file(*ids: str, mark: str = "slow") -> str:
    return FILE + "".join(CASE % {"id": name, "mark": mark} for name in ids)


@pytest.fixture(autouse=True)
def environment(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inner runs see no settings of ours, and do not import hypothesis anew each time."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:anyio")
    for option in OPTIONS:
        monkeypatch.delenv(option.variable or "-", raising=False)


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(**_: object) -> RunDirectory:
        raise AssertionError("a run directory was made")

    monkeypatch.setattr(RunDirectory, "create", create)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with two case files."""
    pytester.makeini("[pytest]\nmarkers = slow\n  fast\n")
    pytester.path.joinpath("policy.yaml").write_text(POLICY)
    pytester.path.joinpath("a.audit.yaml").write_text(case_file(*IDS))
    pytester.path.joinpath("b.audit.yaml").write_text(case_file("read-one", mark="fast"))
    return pytester


def collected(project: pytest.Pytester, *options: str) -> list[str]:
    """The items that pytest would run."""
    result = project.runpytest_inprocess("--collect-only", "-q", *options)
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED), result.stdout.str()
    return [line for line in result.outlines if "::" in line]


ALL = ["a.audit.yaml::read-one", "a.audit.yaml::read-two", "a.audit.yaml::write-one", "b.audit.yaml::read-one"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ALL),
        (("-k", "read"), [ALL[0], ALL[1], ALL[3]]),
        (("-k", "write or b.audit"), ALL[2:]),
        (("-m", "fast"), [ALL[3]]),
        (("-m", "standard"), ALL),
        (("-m", "own_policy"), []),
        (("b.audit.yaml",), [ALL[3]]),
        (("a.audit.yaml::read-two",), [ALL[1]]),
        (("--deselect", "a.audit.yaml::read-two"), [ALL[0], ALL[2], ALL[3]]),
        (("--audit-sabotage",), ALL),
        (("--audit-policy=policy.yaml", "-k", "write"), [ALL[2]]),
    ],
)
def test_cases_are_selected_as_tests_are(
    project: pytest.Pytester, options: tuple[str, ...], expected: list[str]
) -> None:
    assert collected(project, *options) == expected


RULES = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- {level: None, users: [alice]}\n- level: Metadata\n"
MADE = ["rules.yaml::rule-01-witness", "rules.yaml::rule-01-users-near-miss-1", "rules.yaml::rule-02-witness"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), []),
        (("--audit-coverage=none",), []),
        (("--audit-coverage=rules",), [MADE[0], MADE[2]]),
        (("--audit-coverage=conditions",), MADE),
        (("--audit-coverage=conditions", "-k", "near-miss"), [MADE[1]]),
        (("--audit-coverage=conditions", "-m", "standard"), []),
        (("--audit-coverage=conditions", "-m", "witness"), MADE),
        (("--audit-coverage=conditions", "--audit-sabotage"), []),
    ],
)
def test_witnesses_are_items_of_the_policy(
    pytester: pytest.Pytester, options: tuple[str, ...], expected: list[str]
) -> None:
    pytester.path.joinpath("rules.yaml").write_text(RULES)

    assert collected(pytester, "--audit-policy=rules.yaml", *options) == expected


DETECTIONS = """
apiVersion: auditproof/v1
kind: Detections
detections:
  - {id: deletes, title: A deployment is deleted, when: {verb: delete, objectRef.resource: deployments}}
  - {id: never, title: Nothing has this verb, when: {verb: replace}}
"""
TRIED = ["detections.yaml::deletes", "detections.yaml::deletes-miss"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), TRIED),
        (("-m", "detection"), TRIED),
        (("-k", "miss"), [TRIED[1]]),
        (("-m", "standard"), []),
        (("--audit-sabotage",), []),
    ],
)
def test_examples_of_detection_rules_are_items_of_the_file_that_has_the_rules(
    pytester: pytest.Pytester, options: tuple[str, ...], expected: list[str]
) -> None:
    pytester.path.joinpath("rules.yaml").write_text(RULES)
    pytester.path.joinpath("detections.yaml").write_text(DETECTIONS)

    assert collected(pytester, "--audit-policy=rules.yaml", "--audit-detections=detections.yaml", *options) == expected


CHANGED = ["base.yaml::change-01", "rules.yaml::change-01"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--audit-base=base.yaml",), CHANGED),
        (("--audit-base=base.yaml", "-m", "change"), CHANGED),
        (("--audit-base=base.yaml", "-m", "witness"), []),
        (("--audit-base=base.yaml", "--audit-coverage=rules"), [*CHANGED, MADE[0], MADE[2]]),
        (("--audit-base=base.yaml", "--audit-sabotage"), []),
        (("--audit-base=rules.yaml",), []),
    ],
)
def test_what_a_change_does_is_asked_of_both_policies(
    pytester: pytest.Pytester, options: tuple[str, ...], expected: list[str]
) -> None:
    pytester.path.joinpath("rules.yaml").write_text(RULES)
    pytester.path.joinpath("base.yaml").write_text(RULES.replace("users: [alice]", "users: [nobody-else]"))

    found = collected(pytester, "--audit-policy=rules.yaml", *options)

    assert [item for item in found if "change-" not in item or item.endswith("-01")] == expected


def test_a_base_that_cannot_be_read_is_told_before_anything_starts(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--audit-policy=policy.yaml", "--audit-base=missing.yaml")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*missing.yaml:1:1: the policy cannot be read: No such file or directory"])


def test_a_depth_that_is_none_is_refused_with_a_suggestion(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--audit-coverage=condition")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--audit-coverage: invalid value 'condition'; did you mean conditions? (choose from rules, *, none)"]
    )


def test_the_cases_that_failed_last_are_selected(project: pytest.Pytester) -> None:
    cache = project.path / ".pytest_cache" / "v" / "cache"
    cache.mkdir(parents=True)
    cache.joinpath("lastfailed").write_text(json.dumps({ALL[1]: True}))

    assert collected(project, "--lf") == [ALL[1]]


def test_a_case_with_a_policy_of_its_own_is_marked(project: pytest.Pytester) -> None:
    text = case_file("own").replace("title: Pods", "policy: policy.yaml\nsabotage: policy.yaml\ntitle: Pods", 1)
    project.path.joinpath("c.audit.yaml").write_text(text.replace("    do:", "    expect: Metadata\n    do:"))

    assert collected(project, "-m", "own_policy") == ["c.audit.yaml::own"]
    project.path.joinpath("test_plain.py").write_text("def test_of_something_else(): ...")
    assert collected(project, "--audit-sabotage") == [*ALL, "c.audit.yaml::own"]


def test_collecting_says_what_would_be_proven_and_where(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--collect-only", "--audit-policy=policy.yaml", "--audit-kubernetes=1.36")

    result.stdout.fnmatch_lines(
        ["auditproof: policy policy.yaml (sha256 *…, 1 rules)", "auditproof: cluster embedded, Kubernetes 1.36"]
    )


def test_a_warning_of_the_policy_stands_in_the_header(project: pytest.Pytester) -> None:
    project.path.joinpath("policy.yaml").write_text(POLICY + "  user: [alice]\n")

    result = project.runpytest_inprocess("--collect-only", "--audit-policy=policy.yaml")

    result.stdout.fnmatch_lines(['auditproof: warning: policy.yaml:5:3: unknown key "user"*'])


def test_every_bad_case_file_is_told_with_its_line_and_no_traceback(project: pytest.Pytester) -> None:
    project.path.joinpath("a.audit.yaml").write_text(case_file("read").replace("as: alice", "as: alise"))
    project.path.joinpath("b.audit.yaml").write_text(case_file("read").replace("do: {get", "do: {gett"))

    result = project.runpytest_inprocess()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(['*a.audit.yaml:9:9: unknown identity "alise"; did you mean "alice"?'])
    result.stdout.fnmatch_lines(["*b.audit.yaml:10:*gett*"])
    result.assert_outcomes(errors=2)
    assert "Traceback" not in result.stdout.str()
    assert ".py:" not in result.stdout.str()


def test_collecting_leaves_the_last_report_alone_and_judges_nothing(project: pytest.Pytester) -> None:
    folder = project.mkdir("out")
    for name in REPORT_FILES:
        folder.joinpath(name).write_text("of yesterday")

    result = project.runpytest_inprocess("--collect-only", "--audit-policy=policy.yaml", "--audit-report=out")

    assert "UNPROVEN" not in result.stdout.str()
    assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(REPORT_FILES, "of yesterday")


@pytest.mark.parametrize("content", [b"\x00\x01\xff\xfe", b"", b"- a\n- b\n", b"title: [", b"null"])
def test_a_file_that_is_no_case_file_is_told_and_no_traceback(project: pytest.Pytester, content: bytes) -> None:
    project.path.joinpath("a.audit.yaml").write_bytes(content)

    result = project.runpytest_inprocess("a.audit.yaml")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*a.audit.yaml:[12]:1: *"])
    assert "Traceback" not in result.stdout.str()
    assert ".py:" not in result.stdout.str()


def test_a_project_that_does_not_use_it_is_left_alone(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: object) -> None:
        raise AssertionError("the options were read")

    monkeypatch.setattr("auditproof.plugin.options.read_versions", read)
    pytester.makepyfile("def test_one(): pass")
    pytester.path.joinpath("values.yaml").write_text("apiVersion: v1\n")

    result = pytester.runpytest_inprocess("--strict-markers")

    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1)
    assert "auditproof" not in "".join(line for line in result.outlines if not line.startswith("plugins:"))


def refused(project: pytest.Pytester, *options: str) -> list[str]:
    """The lines by which pytest says that it cannot begin."""
    result = project.runpytest_inprocess(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    return [line for line in result.errlines if line.strip()]


def test_a_refused_policy_is_told_in_the_servers_words_with_every_place(project: pytest.Pytester) -> None:
    project.path.joinpath("policy.yaml").write_text(POLICY.replace("Metadata", "metadata") + "- level: none\n")

    lines = refused(project, "--audit-policy=policy.yaml")

    assert len(lines) == 2
    assert 'policy.yaml:4:10: rules[0].level: Unsupported value: "metadata"' in lines[0]
    assert 'policy.yaml:5:10: rules[1].level: Unsupported value: "none"' in lines[1]


def write_nothing(path: Path) -> None:
    del path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (write_nothing, "policy.yaml:1:1: the policy cannot be read: No such file or directory"),
        (lambda path: path.mkdir(), "policy.yaml:1:1: no file in this folder holds an audit policy"),
        (lambda path: path.write_bytes(b"\x7fELF\x02\x01\x01\x00\xff\xfe"), "policy.yaml:1:1:"),
        (lambda path: path.write_bytes(b""), "policy.yaml:1:1:"),
    ],
    ids=["missing", "directory", "binary", "empty"],
)
def test_a_policy_that_is_none_is_told_in_one_line(
    project: pytest.Pytester, make: Callable[[Path], object], says: str
) -> None:
    project.path.joinpath("policy.yaml").unlink()
    make(project.path / "policy.yaml")

    (line,) = refused(project, "--audit-policy=policy.yaml")

    assert line.startswith(f"ERROR: {says}")


@pytest.mark.parametrize("options", [("--audit-policy=missing.yaml",), ("--audit-cluster=kindd",)])
def test_a_report_of_an_earlier_run_does_not_outlive_options_that_cannot_be_used(
    project: pytest.Pytester, options: tuple[str, ...]
) -> None:
    folder = project.mkdir("out")
    for name in (*REPORT_FILES, "notes.txt"):
        folder.joinpath(name).write_text("of yesterday")

    refused(project, "--audit-report=out", *options)

    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_report_folder_that_is_a_file_is_told(project: pytest.Pytester) -> None:
    (line,) = refused(project, "--audit-report=policy.yaml")

    assert line.startswith("ERROR: --audit-report: no report can be written to ")
    assert line.endswith("policy.yaml: File exists")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--audit-cluster=embeded",), "embeded:1:1: there is no cluster profile of this name; did you mean embedded?"),
        (("--audit-cluster=no/such.yaml",), "no/such.yaml:1:1: "),
        (
            ("--audit-kubernetes=latest",),
            "--audit-kubernetes: invalid version 'latest' (expected one such as 1.37 or 1.37.2; several: 1.35,1.37 or",
        ),
        (("--audit-kubernetes=1",), "--audit-kubernetes: invalid version '1'"),
        (("--audit-kubernetes=1.37.2.1",), "--audit-kubernetes: invalid version '1.37.2.1'"),
    ],
)
def test_an_option_that_means_nothing_is_told_in_one_line(
    project: pytest.Pytester, options: tuple[str, ...], says: str
) -> None:
    (line,) = refused(project, "--audit-policy=policy.yaml", *options)

    assert line.startswith(f"ERROR: {says}")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--audit-cluster=kind", "--audit-image=node:v1"), "a node image has one version"),
        (("--audit-assets=.",), "--audit-assets has the servers of one version"),
        (("--audit-keep-cluster", "--audit-cluster=kind"), "--audit-keep-cluster keeps the servers of one version"),
    ],
)
def test_several_versions_are_refused_where_there_can_be_only_one(
    project: pytest.Pytester, options: tuple[str, ...], says: str
) -> None:
    *_, line = refused(project, "--audit-policy=policy.yaml", "--audit-kubernetes=1.36,1.37", *options)

    assert line == f"ERROR: --audit-kubernetes: {says}, and 1.36, 1.37 were given"


def test_an_option_of_another_provider_does_not_limit_the_versions(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CI job that names a node image for its tests on kind may test several versions on embedded."""
    monkeypatch.setenv("AUDITPROOF_IMAGE", "node:v1")
    options = ("--collect-only", "-q", "--audit-policy=policy.yaml", "--audit-kubernetes=1.36,1.37")

    result = project.runpytest_inprocess(*options)

    result.stdout.fnmatch_lines(["*a.audit.yaml::read-one[[]1.36[]]"])


def test_a_profile_that_sets_what_is_not_its_own_is_told_with_its_line(project: pytest.Pytester) -> None:
    text = (
        "apiVersion: auditproof/v1\nkind: Profile\nprovider: embedded\nkubernetes: '1.37'\nflags:\n  bind-address: x\n"
    )
    project.path.joinpath("mine.yaml").write_text(text)

    (line,) = refused(project, "--audit-cluster=mine.yaml")

    assert "mine.yaml:6:" in line
    assert "flags.bind-address: this flag is set by auditproof itself" in line


def test_the_command_line_goes_before_the_environment_and_that_before_the_ini_file(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makeini("[pytest]\nmarkers = slow\n  fast\naudit_kubernetes = 1.34\n")

    def header(*options: str) -> str:
        lines = project.runpytest_inprocess("--collect-only", *options).outlines
        return next(line for line in lines if line.startswith("auditproof: cluster"))

    assert header().endswith("Kubernetes 1.34")
    monkeypatch.setenv("AUDITPROOF_KUBERNETES", "1.35")
    assert header().endswith("Kubernetes 1.35")
    assert header("--audit-kubernetes=1.36").endswith("Kubernetes 1.36")


def test_a_policy_is_found_from_where_pytest_was_called(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.mkdir("below"))

    result = project.runpytest_inprocess("--collect-only", "--audit-policy=../policy.yaml", "--rootdir=..", "..")

    result.stdout.fnmatch_lines(["auditproof: policy policy.yaml (*"])


def test_paths_in_the_ini_file_are_found_from_its_folder(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of pytest's own keys; a variable's and an option's are found from where pytest was called."""
    ini = "audit_policy = policy.yaml\naudit_requirements = ours.yaml, baseline\naudit_report = out\n"
    project.makeini(f"[pytest]\nmarkers = slow\n  fast\n{ini}")
    text = (content.root() / "suites" / "requirements" / "baseline.yaml").read_text()
    project.path.joinpath("ours.yaml").write_text(text)
    below = project.mkdir("below")
    monkeypatch.chdir(below)

    result = project.runpytest_inprocess("..", "-k", "nothing-of-all-this")

    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED, result.stderr.str()
    result.stdout.fnmatch_lines(["auditproof: policy policy.yaml (*"])
    assert project.path.joinpath("out").is_dir()
    monkeypatch.setenv("AUDITPROOF_POLICY", "policy.yaml")
    (line,) = refused(project, "..")
    assert line.startswith("ERROR: policy.yaml:1:1: the policy cannot be read")


def test_an_option_of_ours_without_anything_to_prove_reports_nothing(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile("def test_one(): pass")

    result = project.runpytest_inprocess("--audit-policy=policy.yaml", "--audit-report=out", "-k", "test_one")

    result.assert_outcomes(passed=1, deselected=4)
    assert not project.path.joinpath("out", "results.json").exists()
    assert "audit proofs" not in result.stdout.str()


@pytest.mark.parametrize(
    ("versions", "lacks"),
    [
        ('    since: "1.99"\n', "1.99"),
        ('    until: "1.30"\n', "1.30 or older"),
        ('    since: "1.29"\n    until: "1.30"\n', "1.29 to 1.30"),
    ],
)
def test_a_case_of_other_versions_is_not_supported_and_starts_nothing(
    project: pytest.Pytester, versions: str, lacks: str
) -> None:
    other = case_file("read-one", mark="fast") + versions
    project.path.joinpath("b.audit.yaml").write_text(other)

    result = project.runpytest_inprocess("--audit-policy=policy.yaml", "-rs", "b.audit.yaml")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"*not supported: this cluster lacks Kubernetes {lacks}"])


NEWER = '    since: "1.99"\n'  # a case that no server of today can show: it is skipped, and nothing starts


def test_cases_without_any_policy_are_refused_and_the_ways_to_give_one_are_named(project: pytest.Pytester) -> None:
    """A policy that the user never named must not judge them."""
    (line,) = refused(project, "--audit-report=out")

    assert line.startswith(
        "ERROR: no policy is given to judge a.audit.yaml::read-one by: give --audit-policy FILE, set "
    )
    assert "AUDITPROOF_POLICY" in line
    assert "audit_policy = FILE" in line
    assert not project.path.joinpath("out", "results.json").exists()


def test_a_python_test_without_any_policy_is_an_error_and_starts_nothing(project: pytest.Pytester) -> None:
    project.makepyfile(test_one="def test_one(audit): ...")

    result = project.runpytest_inprocess("test_one.py")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*UNPROVEN test_one.py::test_one: no policy is given to judge this test by: give *"])


@pytest.mark.parametrize("way", ["option", "variable", "ini", "file"])
def test_a_policy_that_is_given_in_any_way_judges_them(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    text = case_file("read-one", mark="fast") + NEWER
    if way == "variable":
        monkeypatch.setenv("AUDITPROOF_POLICY", "policy.yaml")
    if way == "ini":
        project.makeini("[pytest]\nmarkers = fast\naudit_policy = policy.yaml\n")
    if way == "file":
        text = text.replace("title: Pods", "policy: policy.yaml\nsabotage: policy.yaml\ntitle: Pods", 1)
        text = text.replace("    do:", "    expect: Metadata\n    do:")
    project.path.joinpath("b.audit.yaml").write_text(text)

    options = ["--audit-policy=policy.yaml"] if way == "option" else []
    project.runpytest_inprocess("b.audit.yaml", *options).assert_outcomes(skipped=1)


def test_workers_refuse_cases_without_any_policy_too(project: pytest.Pytester) -> None:
    for name in ("etcd", "kube-apiserver"):
        program = project.path / name
        program.write_text("#!/bin/sh\necho Kubernetes v1.37.2\n")
        program.chmod(0o755)

    result = project.runpytest_subprocess("-n", "1", f"--audit-assets={project.path}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str() + result.stderr.str()
    result.stderr.fnmatch_lines(
        ["ERROR: no policy is given to judge *: give --audit-policy FILE, set AUDITPROOF_POLICY*"]
    )


def test_workers_without_any_option_say_that_cases_need_a_policy(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("-n", "1")

    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(["*read-one: a run with workers needs a policy: give --audit-policy FILE*"])


def test_a_project_without_cases_keeps_the_distribution_of_xdist(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(): ...")
    pytester.makeconftest("def pytest_unconfigure(config): print('distributed:', config.option.dist)")

    pytester.runpytest_subprocess("-n", "1").stdout.fnmatch_lines(["distributed: load"])


def test_the_fixtures_are_there_whatever_is_imported(project: pytest.Pytester) -> None:
    """A module of the package must not take the place of a fixture of its name."""
    shown = project.runpytest_subprocess("--fixtures", "--audit-policy=policy.yaml", "-p", "no:hypothesispytest")

    known = {line.partition(" ")[0] for line in shown.outlines}
    assert known >= {"audit", "audit_beside", "audit_policy", "audit_backend", "audit_backend_start"}


NOTES_MODULES = """
import sys

def pytest_unconfigure():
    names = sorted(name for name in sys.modules if name.startswith("auditproof") or name in ("yaml", "pydantic"))
    print("imported:", *names)
"""


@pytest.mark.parametrize(
    ("test", "loads"), [("def test_one(): ...", False), ("def test_one(audit): ...", True), ("", False)]
)
def test_a_project_without_cases_pays_for_the_options_alone(pytester: pytest.Pytester, test: str, loads: bool) -> None:
    """Every pytest process in the installation loads the plugin, whatever it is about."""
    pytester.makepyfile(test_other=test)
    pytester.makeconftest(NOTES_MODULES)

    result = pytester.runpytest_subprocess("--collect-only", "-q")

    (line,) = [line for line in result.outlines if "imported: " in line]
    imported = line.partition("imported: ")[2].split()
    assert ("auditproof.plugin.hooks" in imported) == loads
    if not loads:
        plugin = {f"auditproof.plugin{name}" for name in ("", ".asked", ".entry", ".markers", ".taken")}
        assert set(imported) == {"auditproof", "auditproof.options", *plugin}
