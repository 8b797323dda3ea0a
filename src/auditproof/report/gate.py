"""Whether the change from the base may go in: the third of the three statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.report.change import change_is_shown
from auditproof.report.log_lines import counted
from auditproof.report.model import ChangeStatement
from auditproof.report.requirement_states import named

if TYPE_CHECKING:
    from auditproof.report.model import ForbiddenChange, Report

SHOWN = " Every difference was shown on servers with either policy."
LONGEST = 60  # characters of what a forbidden change is about


def change(report: Report) -> ChangeStatement:
    """The statement about the change."""
    gate = report.gate
    if gate is None:
        sentence = "Nothing was forbidden." if report.change else "There is no base to compare the policy with."
        return ChangeStatement(word="NONE", passes=True, sentence=sentence)
    known = sum(1 for one in gate.forbidden if one.acknowledged)
    base = report.change.old.path if report.change else "the base"
    compared = f"Compared with {base}, this policy is {gate.relation}"
    if gate.relation in ("records more", "records less"):
        compared = f"Compared with {base}, this policy {gate.relation}"
    return ChangeStatement(
        word=str(gate.relation),
        passes=gate.passes,
        sentence=f"{compared}: {change_clause(report)}.{SHOWN if change_is_shown(report) else ''}",
        forbidden=len(gate.forbidden) - known,
        acknowledged=known,
    )


def change_clause(report: Report) -> str:
    """What is forbidden, in a clause; empty without a base."""
    gate = report.gate
    if gate is None:
        return ""
    left = [one for one in gate.forbidden if not one.acknowledged]
    known = len(gate.forbidden) - len(left)
    acknowledged = f"; {counted(known, 'change')} acknowledged" if known else ""
    if not left:
        return f"nothing forbidden is left{acknowledged}"
    be = "is" if len(left) == 1 else "are"
    names = named([forbidden_text(one) for one in left])
    return f"{counted(len(left), 'change')} {be} forbidden ({names}){acknowledged}"


def forbidden_name(one: ForbiddenChange) -> str:
    """A forbidden change, told apart from all others: what happens to which requests."""
    what = " ".join(filter(None, (f"{', '.join(one.verbs)} of {one.what}" if one.verbs else one.what, one.where)))
    return f"{', '.join(str(effect.effect) for effect in one.effects)}: {what} by {one.who}"


def forbidden_reason(one: ForbiddenChange) -> str:
    """How the recording of these requests changes, with one of them."""
    on = f" (on Kubernetes {', '.join(one.kubernetes)} only)" if one.kubernetes else ""
    return f"{one.text}{on}, for example {one.witness}"


def forbidden_text(one: ForbiddenChange) -> str:
    """A forbidden change in a few words: ``lost-events of pods/exec``."""
    what = one.what if len(one.what) <= LONGEST else f"{one.what[: LONGEST - 1]}…"
    effects = ", ".join(str(effect.effect) for effect in one.effects if effect.acknowledged is None)
    return f"{effects or ', '.join(str(effect.effect) for effect in one.effects)} of {what}"
