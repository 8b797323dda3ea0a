"""What ``auditproof init`` puts into a repository: policy, own cases, requirements, acknowledged changes, CI job."""

from __future__ import annotations

from auditproof.starter.plan import Starter, plan
from auditproof.starter.policy import StartingPolicy, starting_policy
from auditproof.starter.write import Written, write

__all__ = ["Starter", "StartingPolicy", "Written", "plan", "starting_policy", "write"]
