"""gate(old, new): whether a change of a policy does something that is forbidden and that no one acknowledged. Pure."""

from __future__ import annotations

from auditproof.analysis.gate.acknowledged import Acknowledgement
from auditproof.analysis.gate.consequence import Consequence, Relation, consequences_named
from auditproof.analysis.gate.gate import Forbidden, GateResult, gate

__all__ = ["Acknowledgement", "Consequence", "Forbidden", "GateResult", "Relation", "consequences_named", "gate"]
