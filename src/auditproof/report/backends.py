"""What the audit backends delivered to the reader: the section ``backends`` of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.proof.verdict import Outcome
from auditproof.report.model import BackendAccount, BackendsRecord, BackendTest, Deliveries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditproof.report.model import BackendLoad, Report


def backend_test(
    *,
    id: str,  # noqa: A002 - as the key is called
    title: str,
    suite: str,
    line: int,
    flags: Mapping[str, str],
    verdict: Outcome,
    reason: str,
    accounts: Sequence[BackendAccount],
    facts: Sequence[str],
) -> BackendTest:
    """The record of one test of backends: its counts are summed up over its accounts."""
    return BackendTest(
        id=id,
        title=title,
        suite=suite,
        line=line,
        flags=dict(flags),
        verdict=verdict,
        reason=reason,
        accounts=tuple(accounts),
        facts=tuple(facts),
        **_sums(accounts),
    )


def _sums(counted: Sequence[Deliveries]) -> dict[str, int]:
    return {name: sum(getattr(one, name) for one in counted) for name in Deliveries.model_fields}


def backends_record(
    tests: Iterable[BackendTest], load: Iterable[BackendLoad], planned: Iterable[str]
) -> BackendsRecord:
    """The section: every test, the sums over all of them, and the table of what each backend sustained."""
    ordered = sorted(tests, key=lambda test: (test.suite, test.line, test.id))
    return BackendsRecord(
        **_sums(ordered),
        not_performed=tuple(sorted(set(planned) - {test.id for test in ordered})),
        load=tuple(sorted(load, key=lambda row: (row.events > 0, row.backend, row.mode))),
        tests=tuple(ordered),
    )


def backend_troubles(report: Report) -> list[BackendTest]:
    """The tests of backends that did not show what they say."""
    return [test for test in report.backends.tests if test.verdict.is_trouble] if report.backends else []


def backends_line(report: Report) -> str:
    """The result of all tests of backends in a line; empty where there are none."""
    part = report.backends
    if not part:
        return ""
    shown = sum(1 for test in part.tests if test.verdict is Outcome.PROVEN)
    planned = len(part.tests) + len(part.not_performed)
    lacking = sum(1 for test in part.tests if test.verdict is Outcome.NOT_SUPPORTED)
    here = f" ({lacking} not supported here)" if lacking else ""
    sums = f"{part.performed} actions: {part.recorded} recorded, {part.lost} lost, {part.unproven} unproven"
    return f"backends: {shown} of {planned} tests show what they say{here}; {sums}"
