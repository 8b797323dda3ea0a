"""Marks of cases: known by being in the file, unless the project wants all marks to be registered."""

from __future__ import annotations

import pytest

from tests.support.small_project import write_project

pytest_plugins = ("pytester",)
CASES = [
    "{id: reads, title: A pod is read, as: alice, do: {get: pods/web, in: shop}, marks: [smoke]}",
    "{id: lists, title: Pods are listed, as: alice, do: {list: pods, in: shop}}",
]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project without an ini file, and a case with a mark of its own."""
    write_project(pytester, shop=CASES)
    return pytester


def collect(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    return project.runpytest_subprocess("--audit-policy=policy.yaml", "--collect-only", "-q", *options)


def test_a_mark_of_a_case_selects_it_and_needs_no_registration(project: pytest.Pytester) -> None:
    result = collect(project, "-m", "smoke", "-W", "error")

    result.stdout.fnmatch_lines(["shop.audit.yaml::reads", "1/2 tests collected*"])
    assert result.ret == 0


def test_where_marks_are_strict_one_that_is_not_registered_is_an_error(project: pytest.Pytester) -> None:
    result = collect(project, "--strict-markers")

    result.stdout.fnmatch_lines(["*'smoke' not found in `markers` configuration option*"])
    assert result.ret != 0
