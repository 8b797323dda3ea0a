"""What an item leaves for the report: the records of its proofs, their properties in JUnit, its failure in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.plugin.collect import CaseItem
from auditproof.plugin.fixtures import NOT_SUPPORTED, PROOFS, origin_of
from auditproof.plugin.outcomes import Story
from auditproof.report.records import anchor, skipped_record

if TYPE_CHECKING:
    import pytest

    from auditproof.errors import AuditproofError
    from auditproof.plugin.proving import AuditSession


def story_of(item: pytest.Item, error: AuditproofError) -> Story:
    """The failure of an item in our words."""
    if isinstance(item, CaseItem):
        return item.story(error)
    path, line, _ = item.reportinfo()
    return Story(f"{item.name}: {error}", str(path), (line or 0) + 1)


def records_of(session: AuditSession, item: pytest.Item, report: pytest.TestReport) -> list[dict[str, Any]]:
    """The records of an item's proofs, once it has its last report."""
    if isinstance(item, CaseItem):
        return [session.record(item, ", ".join(session.support.missing(item)) if report.skipped else "")]
    records = item.stash.get(PROOFS, [])
    if NOT_SUPPORTED in item.stash and not records:
        return [skipped_record(origin_of(item), session.options.policy, item.stash[NOT_SUPPORTED])]
    if report.failed and records and all(record["verdict"] == "PROVEN" for record in records):
        # What the test itself asserts beyond level and stages did not hold: the last proof must not stand as one.
        records[-1] |= {"verdict": "VIOLATED", "reasons": [_said(report)]}
    return records


def _said(report: pytest.TestReport) -> str:
    """What a failure comes to, in a line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else report.longreprtext).strip().splitlines()
    return lines[0] if lines else "the test failed"


def properties_of(record: dict[str, Any]) -> list[tuple[str, object]]:
    """What JUnit is told about a proof."""
    expected, observed = record["expected"], record["observed"]
    return [
        ("auditID", record["auditID"]),
        ("verdict", record["verdict"]),
        ("expected", expected["level"]),
        ("observed", str(observed["level"])),
        ("policyLine", str(expected["line"])),
        ("evidence", f"report.html#{anchor(record['id'])}"),
        ("file", record["suite"]),
        ("line", str(record["line"])),
    ]
