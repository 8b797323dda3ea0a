"""What is told of an item: the properties of its proofs in JUnit, its failure in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.plugin.collect import CaseItem
from auditproof.plugin.failures import Story
from auditproof.report.proof_record import anchor

if TYPE_CHECKING:
    import pytest

    from auditproof.errors import AuditproofError
    from auditproof.report.model import ProofRecord


def story_of(item: pytest.Item, error: AuditproofError) -> Story:
    """The failure of an item in our words."""
    if isinstance(item, CaseItem):
        return item.story(error)
    path, line, _ = item.reportinfo()
    return Story(f"{item.name}: {error}", str(path), (line or 0) + 1)


def properties_of(record: ProofRecord) -> list[tuple[str, object]]:
    """What JUnit is told about a proof."""
    return [
        ("auditID", record.audit_id),
        ("verdict", str(record.verdict)),
        ("expected", str(record.expected.level)),
        ("observed", str(record.observed.level)),
        ("policyLine", str(record.expected.line)),
        ("evidence", f"report.html#{anchor(record.id)}"),
        ("file", record.suite),
        ("line", str(record.line)),
    ]
