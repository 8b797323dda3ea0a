"""gate(old, new): whether a change of a policy does something that is forbidden and that no one acknowledged. Pure."""

from __future__ import annotations

from auditproof.analysis.gate.acknowledged import Acknowledgement
from auditproof.analysis.gate.consequence import Consequence, Relation, consequences_named
from auditproof.analysis.gate.gate import Forbidden, GateResult, gate
from auditproof.analysis.gate.load import FILE, HEAD, entries_for, load_acknowledged
from auditproof.analysis.gate.render import decision, render_markdown, render_text, to_record

__all__ = [
    "FILE",
    "HEAD",
    "Acknowledgement",
    "Consequence",
    "Forbidden",
    "GateResult",
    "Relation",
    "consequences_named",
    "decision",
    "entries_for",
    "gate",
    "load_acknowledged",
    "render_markdown",
    "render_text",
    "to_record",
]
