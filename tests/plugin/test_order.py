"""In which order cases are performed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.small_project import write_project

if TYPE_CHECKING:
    import pytest

pytest_plugins = ("pytester",)
FIRST = "{id: first, title: The first, as: alice, do: {list: pods, in: shop}}"


def test_files_with_requests_that_last_come_last_and_stay_whole(pytester: pytest.Pytester) -> None:
    """Every batch of them takes a second: the others are reported meanwhile."""
    seconds = {
        "a": "watch: pods, in: shop",
        "b": "get: pods/a, in: shop",
        "c": "create: configmaps/a, in: shop, client: hangsUpInRequest",
        "d": "get: pods/a, in: shop",
    }
    second = "{id: second, title: The second, as: alice, do: {DO}}"
    write_project(pytester, **{name: [FIRST, second.replace("DO", do)] for name, do in seconds.items()})

    result = pytester.runpytest_subprocess("--audit-policy=policy.yaml", "--collect-only", "-q")

    assert result.ret == 0
    names = [line for line in result.outlines if "::" in line]
    assert names == [f"{file}.audit.yaml::{case}" for file in "bdac" for case in ("first", "second")]
