"""How a run collects cyclic garbage."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.support.small_project import write_project

if TYPE_CHECKING:
    import pytest

pytest_plugins = ("pytester",)
CASE = "{id: first, title: The first, as: alice, do: {list: pods, in: shop}}"
SCRIPT = """\
import gc, sys, pytest
before = gc.get_threshold()
class Look:
    def pytest_runtestloop(self):
        set_apart, thresholds = gc.get_freeze_count() > 0, gc.get_threshold()
        print("during: set apart", set_apart, "as before" if thresholds == before else thresholds)
    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self):
        print("at the end: to be searched", len(gc.get_objects()) > 5000)
pytest.main(["--collect-only", "-q", *sys.argv[1:]], plugins=[Look()])
print("after: as before", gc.get_freeze_count() == 0 and gc.get_threshold() == before)
"""


def _run(pytester: pytest.Pytester, *arguments: str, first: str = "") -> list[str]:
    write_project(pytester, pods=[CASE])
    script = pytester.makepyfile(look=first + SCRIPT)
    return pytester.run(sys.executable, script, *arguments).outlines


def test_a_run_searches_less_and_leaves_the_process_as_it_was(pytester: pytest.Pytester) -> None:
    """A program that calls pytest in its own process goes on afterwards."""
    lines = _run(pytester, "--audit-policy=policy.yaml", "pods.audit.yaml")

    assert "during: set apart True (10000, 20, 20)" in lines
    assert "after: as before True" in lines


def test_as_it_ends_pytest_has_little_to_search(pytester: pytest.Pytester) -> None:
    """It searches twice; the records of thousands of cases are searched once, before."""
    lines = _run(pytester, "--audit-policy=policy.yaml", "pods.audit.yaml")

    assert "at the end: to be searched False" in lines


def test_a_process_that_searches_less_than_that_keeps_its_way(pytester: pytest.Pytester) -> None:
    lines = _run(pytester, "--audit-policy=policy.yaml", "pods.audit.yaml", first="import gc; gc.set_threshold(0)\n")

    assert "during: set apart True as before" in lines


def test_a_project_that_does_not_use_auditproof_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_own="def test_own(): pass")

    lines = _run(pytester, "test_own.py")

    assert "during: set apart False as before" in lines
