"""The gate and requirements of a run on several Kubernetes versions: what any of them says counts."""

from __future__ import annotations

from typing import Any

import pytest

from auditproof.report.model import Sections
from auditproof.report.versions import merged
from tests.report.test_report import forbidden, gate_record, requirement

VERSIONS = ("1.36", "1.37")
ENTRY = {"because": "a", "approvedBy": "b", "ticket": "", "until": None, "file": "audit-changes.yaml", "line": 4}
OTHER = ENTRY | {"line": 9}


def sections(**parts: Any) -> Sections:
    return Sections.model_validate(parts)


def test_the_gate_passes_only_if_it_does_on_every_version() -> None:
    """What is forbidden on one version names it; an entry is unused only if it is on each."""
    older = gate_record(forbidden("pods/exec", "lost-events"), relation="records less") | {"unused": [ENTRY, OTHER]}
    newer = gate_record(relation="records more") | {"unused": [ENTRY]}

    gate = merged(VERSIONS, [sections(gate=older), sections(gate=newer)]).gate

    assert gate is not None
    assert (gate.passes, str(gate.relation)) == (False, "incomparable")
    assert [(one.what, one.kubernetes) for one in gate.forbidden] == [("pods/exec", ("1.36",))]
    assert [entry.line for entry in gate.unused] == [4]


def test_what_is_forbidden_on_all_versions_is_there_once() -> None:
    row = forbidden("pods/exec", "lost-events") | {"proofs": {"old": "o::change-01", "new": "n::change-01"}}

    gate = merged(VERSIONS, [sections(gate=gate_record(row)), sections(gate=gate_record(row))]).gate

    assert gate is not None
    (one,) = gate.forbidden
    assert one.kubernetes == ()
    assert (one.proofs.old, one.proofs.new) == ("o::change-01[1.36]", "n::change-01[1.36]")


@pytest.mark.parametrize(
    ("older", "newer", "status"),
    [
        (("known", True), ("new", True), "new"),
        (("known", True), ("known", True), "known"),
        (("known", True), ("", False), "known"),
        (("", True), ("known", True), ""),
        (("fixed", False), ("", False), "fixed"),
        (("fixed", False), ("new", True), "new"),
        (("", False), ("", False), ""),
    ],
)
def test_a_requirement_stands_as_on_the_version_on_which_it_stands_worst(
    older: tuple[str, bool], newer: tuple[str, bool], status: str
) -> None:
    parts = [
        sections(requirements=[requirement("cis", "a", violated=violated) | {"status": one}], failOn="new")
        for one, violated in (older, newer)
    ]

    found = merged(VERSIONS, parts)

    assert [one.status for one in found.requirements] == [status]
    assert found.fail_on == "new"
