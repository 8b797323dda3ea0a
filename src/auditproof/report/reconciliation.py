"""What the servers counted: the section ``counting`` of the report, and its lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.report.model import ServerCount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.proof.run_counters import Reconciliation
    from auditproof.report.model import Report


def counting_record(accounts: Sequence[tuple[str, Reconciliation]]) -> tuple[ServerCount, ...]:
    """An entry for each API server, given with the policy that it runs."""
    return tuple(
        ServerCount(
            policy=policy,
            events=account.events,
            lost=account.lost,
            lines=account.lines,
            levels=dict(sorted(account.levels.items())),
            holds=account.holds,
            reason=account.reason,
        )
        for policy, account in accounts
    )


def miscounted(report: Report) -> list[ServerCount]:
    """The API servers whose log does not hold what they counted: nothing is proven by such a log."""
    return [entry for entry in report.counting if entry.holds is False]


def counting_lines(report: Report) -> list[str]:
    """How many servers' counters match the log, then each that does not; empty where nothing was counted."""
    entries = report.counting
    holding = [entry for entry in entries if entry.holds]
    if not entries:
        return []
    events = sum(entry.lines for entry in holding)
    servers = f"of {len(holding)} of {len(entries)} API servers" if len(entries) > 1 else "of the API server"
    if len(holding) == len(entries) > 1:
        servers = f"of all {len(entries)} API servers"
    if not holding:
        return [f"{entry.policy}: {entry.reason}" for entry in entries]
    total = f"counters {servers} match the log ({events} events)"
    others = [entry for entry in entries if not entry.holds]
    return [total, *(f"{entry.policy}: {entry.reason}" for entry in others)]
