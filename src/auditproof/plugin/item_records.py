"""What is reported about an item: the record of a case, the JUnit properties of proofs, the failure text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError
from auditproof.plugin.collect import CaseItem
from auditproof.plugin.failures import Story
from auditproof.plugin.session import SESSIONS
from auditproof.proof.prover import Proof
from auditproof.proof.verdict import Outcome
from auditproof.report.html.files import EVIDENCE
from auditproof.report.proof_record import anchor, failed_record, proof_record

if TYPE_CHECKING:
    import pytest

    from auditproof.plugin.session import AuditSession
    from auditproof.report.model import ProofRecord


def story_of(item: pytest.Item, error: AuditproofError) -> Story:
    """The failure text of an item, in place of pytest's traceback."""
    if isinstance(item, CaseItem) and SESSIONS in item.config.stash:
        return item.story(error)
    path, line, _ = item.reportinfo()
    return Story(f"{item.name}: {error}", str(path), (line or 0) + 1)


def record_of(session: AuditSession, item: CaseItem, not_supported: str = "", failed: str = "") -> ProofRecord:
    """The record of a case.

    ``not_supported`` is why it was left out, ``failed`` how else its test failed. A case that was left out is not
    PROVEN, even if another case's batch has performed it; but a failure found there remains.
    """
    case = item.case
    policy = session.policy(session.place(item.placement).policy, case.since)
    outcome = session.batches.outcomes.get(case.id)
    if isinstance(outcome, Proof) and not (not_supported and outcome.verdict.outcome is Outcome.PROVEN):
        return proof_record(outcome, policy)
    failed = str(outcome) if isinstance(outcome, AuditproofError) else failed
    reason = not_supported or failed or "it was not performed"
    return failed_record(case, policy, Outcome.NOT_SUPPORTED if not_supported else Outcome.UNPROVEN, reason)


def properties_of(record: ProofRecord) -> list[tuple[str, object]]:
    """The properties of a proof in the JUnit file."""
    firing = record.firing
    fired = "" if firing is None else {True: "FIRED", False: "SILENT", None: "UNPROVEN"}[firing.fired]
    return [
        *([("fired", fired)] if fired else []),
        ("auditID", record.audit_id),
        ("verdict", str(record.verdict)),
        ("expected", str(record.expected.level)),
        ("observed", str(record.observed.level)),
        ("policyLine", str(record.expected.line)),
        ("evidence", f"{EVIDENCE}#{anchor(record.id)}"),
        ("file", record.suite),
        ("line", str(record.line)),
    ]
