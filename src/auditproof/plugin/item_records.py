"""What is reported about an item: the record of a case, the JUnit properties of proofs, the failure text."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError
from auditproof.plugin.collect import CaseItem
from auditproof.plugin.failures import FailureText
from auditproof.plugin.fixtures import STORIES
from auditproof.plugin.session import SESSIONS
from auditproof.proof.prover import Proof
from auditproof.proof.verdict import Outcome
from auditproof.report.html.file_names import EVIDENCE
from auditproof.report.proof_record import anchor, failed_record, proof_record
from auditproof.text.paths import shown_path

if TYPE_CHECKING:
    import pytest

    from auditproof.plugin.session import AuditSession
    from auditproof.report.model import ProofRecord

SHOWN_STORIES = 3  # of a test that performs more actions


def story_of(item: pytest.Item, error: AuditproofError) -> FailureText:
    """The failure text of an item, in place of pytest's traceback."""
    if isinstance(item, CaseItem) and SESSIONS in item.config.stash:
        return item.story(error)
    path, first, _ = item.reportinfo()
    line = _line_in(Path(path), error) or (first or 0) + 1
    told = getattr(error, "story", "") or str(error)
    return FailureText(
        f"{shown_path(Path(path), (item.config.rootpath,))}:{line}: {item.name}: {told}", str(path), line
    )


def last_stories(item: pytest.Item) -> str:
    """The last actions that a Python test performed, each with what was expected and recorded."""
    stories = item.stash.get(STORIES, [])
    earlier = len(stories) - SHOWN_STORIES
    shown = stories[-SHOWN_STORIES:] + ([f"and {earlier} earlier: they are in the report"] if earlier > 0 else [])
    return "\n".join(shown)


def _line_in(file: Path, error: BaseException) -> int:
    """The line of a test's file in which an error was raised, or its callee was called; 0 if there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or 0 for frame in reversed(frames) if Path(frame.filename) == file), 0)


def record_of(session: AuditSession, item: CaseItem, not_supported: str = "", failed: str = "") -> ProofRecord:
    """The record of a case.

    ``not_supported`` is why it was left out, ``failed`` how else its test failed. A case that was left out is not
    PROVEN, even if another case's batch has performed it; but a failure found there remains.
    """
    case = item.case
    policy = session.policy(session.place(item.placement).policy, case.since)
    outcome = session.batches.outcomes.get(case.id)
    if isinstance(outcome, Proof) and not (not_supported and outcome.verdict.outcome is Outcome.PROVEN):
        return session.settled.get(case.id) or proof_record(outcome, policy)
    failed = str(outcome) if isinstance(outcome, AuditproofError) else failed
    reason = not_supported or failed or "it was not performed"
    return failed_record(case, policy, Outcome.NOT_SUPPORTED if not_supported else Outcome.UNPROVEN, reason)


def settle(session: AuditSession, item: CaseItem, record: ProofRecord) -> None:
    """Keep the record of a case that has passed, and no longer what it was made of."""
    session.settled[item.case.id] = record
    session.batches.settle(item.case)


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
