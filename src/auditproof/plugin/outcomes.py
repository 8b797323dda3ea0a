"""What a verdict other than PROVEN is to pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from auditproof.verdict import Verdict


class Violated(AuditproofError, AssertionError):
    """The log shows something else than is expected: a failed test."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__("; ".join(verdict.reasons))


class Unproven(AuditproofError):
    """Nothing could be shown: an error, never a pass."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__("UNPROVEN: " + "; ".join(verdict.reasons))
