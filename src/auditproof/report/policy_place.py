"""Where a line of the given policy is, for people: in the file that holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditproof.report.model import Report


def in_policy(report: Report, line: int) -> tuple[str, int]:
    """The file and line of a rule; of a policy that its file does not hold literally, line 1 of the file."""
    policy = report.policy
    if not policy.file:
        return policy.path, line
    return policy.file, line if policy.first_line else 1
