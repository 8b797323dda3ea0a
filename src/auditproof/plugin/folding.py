"""Shows the same error of many tests only once on the terminal; otherwise a dead server would fill it.

pytest writes a section for each report. While it does, it gets only the first of the reports that are UNPROVEN for the
same reason, with the number of the others; afterwards it counts all of them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from auditproof.plugin.item_result import result_of
from auditproof.proof.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

CATEGORIES = ("error", "failed")
SECTION = "auditproof"


@contextmanager
def folded(reporter: pytest.TerminalReporter) -> Iterator[None]:
    """Within this context the reporter has one report per reason."""
    whole = {name: reporter.stats[name] for name in CATEGORIES if name in reporter.stats}
    firsts = []
    for name, reports in whole.items():
        groups = _groups(reports)
        reporter.stats[name] = [group[0] for group in groups]
        firsts += [(group[0], len(group) - 1) for group in groups if len(group) > 1]
    for report, others in firsts:
        report.sections.append((SECTION, f"and {others} more, for the same reason: they are in the report"))
    try:
        yield
    finally:
        for report, _ in firsts:
            report.sections.pop()
        reporter.stats.update(whole)


def _groups(reports: Sequence[Any]) -> list[list[Any]]:
    found: dict[object, list[Any]] = {}
    for report in reports:
        result = result_of(report)
        if result is None or {record.verdict for record in result.records} != {Outcome.UNPROVEN}:
            key: object = id(report)
        else:
            key = tuple(reason for record in result.records for reason in record.reasons)
        found.setdefault(key, []).append(report)
    return list(found.values())
