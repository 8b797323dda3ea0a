"""Demonstrates a diff on two real API servers: each witness is performed and judged on both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.proof.generated import NEW, OLD, change_id, changes
from auditproof.proof.placement import Placement
from auditproof.proof.session import Session
from auditproof.proof.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.proof.run_options import RunOptions
    from auditproof.proof.verdict import Verdict


@dataclass(frozen=True, slots=True)
class SideBySide:
    """The verdicts of both servers about a difference; none, and a ``reason``, if its witness cannot be performed."""

    old: Verdict | None = None
    new: Verdict | None = None
    reason: str = ""

    @property
    def outcome(self) -> Outcome | None:
        """PROVEN if both are; otherwise the worse one. None if it was not performed."""
        verdicts = [verdict.outcome for verdict in (self.old, self.new) if verdict]
        return next((some for some in (Outcome.VIOLATED, Outcome.UNPROVEN, Outcome.PROVEN) if some in verdicts), None)

    def __str__(self) -> str:
        if self.old is None or self.new is None:
            return f"not performed: {self.reason}"
        reasons = "; ".join(dict.fromkeys(self.old.reasons + self.new.reasons))
        text = f"{self.outcome}: old {_recorded(self.old)}; new {_recorded(self.new)}"
        return f"{text}: {reasons}" if reasons else text


def _recorded(verdict: Verdict) -> str:
    evidence = verdict.evidence
    stages = ", ".join(str(event.stage) for event in evidence.events)
    return f"recorded at {evidence.level} ({stages})" if stages else "not recorded"


def show(
    diff: PolicyDiff, options: RunOptions, policy_files: PolicyFiles, report: Callable[[str], None]
) -> tuple[SideBySide, ...]:
    """Perform the witness of every difference on two servers, with the base and with the policy of ``options``.

    The results are in the order of the differences. The servers are stopped in any case. Raises AuditproofError if the
    servers cannot be started.
    """
    old, new = Placement(options.base_file), Placement(options.policy_file)
    with Session(options, report=report, policy_files=policy_files) as session:
        session.start_servers([old, new])
        before = session.prove(changes(diff, diff.old, OLD), old)
        after = session.prove(changes(diff, diff.new, NEW), new)
    verdicts = {one.case.id: (one.verdict, other.verdict) for one, other in zip(before, after, strict=True)}
    return tuple(
        SideBySide(*verdicts[name])
        if (name := change_id(number)) in verdicts
        else SideBySide(reason=difference.witness.reason)
        for number, difference in enumerate(diff.differences, 1)
    )
