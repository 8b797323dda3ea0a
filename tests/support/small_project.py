"""A project with a policy and case files, as small as can be, for tests of what pytest does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"


def write_project(pytester: pytest.Pytester, **cases: list[str]) -> None:
    """Write ``policy.yaml``, and ``NAME.audit.yaml`` with the cases, each a YAML mapping, for each keyword."""
    (pytester.path / "policy.yaml").write_text(POLICY)
    for name, listed in cases.items():
        lines = ["apiVersion: auditproof/v1", "kind: CaseFile", f"title: The file {name}", "cases:"]
        text = "\n".join([*lines, *(f"  - {case}" for case in listed)])
        (pytester.path / f"{name}.audit.yaml").write_text(f"{text}\n")
