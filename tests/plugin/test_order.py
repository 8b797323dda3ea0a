"""In which order cases are performed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ("pytester",)
FILE = """\
apiVersion: auditproof/v1
kind: CaseFile
title: Pods
cases:
  - {id: first, title: The first, as: alice, do: {list: pods, in: shop}}
  - {id: second, title: The second, as: alice, do: {SECOND}}
"""


def test_files_with_requests_that_last_come_last_and_stay_whole(pytester: pytest.Pytester) -> None:
    """Every batch of them takes a second: the others are reported meanwhile."""
    pytester.makefile(".yaml", policy="apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n")
    seconds = {
        "a": "watch: pods, in: shop",
        "b": "get: pods/a, in: shop",
        "c": "get: pods/a, in: shop, client: stalls",
    }
    for name, second in seconds.items():
        (pytester.path / f"{name}.audit.yaml").write_text(FILE.replace("SECOND", second))

    result = pytester.runpytest_subprocess("--audit-policy=policy.yaml", "--collect-only", "-q")

    names = [line for line in result.outlines if "::" in line]
    assert names == [f"{file}.audit.yaml::{case}" for file in "ba" for case in ("first", "second")]
