"""The decision as the head of every page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.proof.verdict import Outcome
from auditproof.report.html.fitting import clipped
from auditproof.report.requirement_states import State
from auditproof.report.statements import FAIL, PASS, UNPROVEN

if TYPE_CHECKING:
    from auditproof.report.model import Decision

COLOURS = {PASS: Outcome.PROVEN, FAIL: Outcome.VIOLATED, UNPROVEN: Outcome.UNPROVEN}  # by the verdict with the same one
STATE_COLOURS = {
    State.MET: Outcome.PROVEN,
    State.UNMET: Outcome.VIOLATED,
    State.NOT_SHOWN: Outcome.UNPROVEN,
    State.NOT_SELECTED: Outcome.NOT_SUPPORTED,
}


def heading(decided: Decision, longest: int = 0) -> dict[str, str]:
    """The decision's word and sentence, of at most ``longest`` characters, and the verdict whose colour it has."""
    said = decided.sentence.removeprefix(f"{decided.word}: ")  # the word is in front of it already
    sentence = clipped(said, longest) if longest else said
    return {"word": decided.word, "sentence": sentence, "verdict": COLOURS[decided.word]}
