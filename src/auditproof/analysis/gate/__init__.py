"""gate(old, new): whether a change of a policy does something that is forbidden and that no one acknowledged. Pure."""

from __future__ import annotations

from auditproof.analysis.gate.acknowledged import Acknowledgement
from auditproof.analysis.gate.consequence import FORBIDDEN, LOST, Consequence, Relation, consequences_named
from auditproof.analysis.gate.gate import Forbidden, GateResult, gate, shown_by
from auditproof.analysis.gate.load import FILE, Acknowledged, load_acknowledged
from auditproof.analysis.gate.render import decision, render_markdown, render_text, to_record, words_of
from auditproof.analysis.gate.write import change_entries, requirement_entries, with_entries

__all__ = [
    "FILE",
    "FORBIDDEN",
    "LOST",
    "Acknowledged",
    "Acknowledgement",
    "Consequence",
    "Forbidden",
    "GateResult",
    "Relation",
    "change_entries",
    "consequences_named",
    "decision",
    "gate",
    "load_acknowledged",
    "render_markdown",
    "render_text",
    "requirement_entries",
    "shown_by",
    "to_record",
    "with_entries",
    "words_of",
]
