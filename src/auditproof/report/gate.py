"""Whether the change from the base may go in: one of the statements behind a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.gate import LOST, Consequence, Relation, shown_by, to_record, words_of
from auditproof.proof.generated import change_id, forbidden_id
from auditproof.report.change import change_is_shown
from auditproof.report.faithful import capital
from auditproof.report.log_lines import counted
from auditproof.report.model import ChangeStatement, GateRecord
from auditproof.report.requirement_states import named

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.analysis.gate import Forbidden, GateResult
    from auditproof.report.model import GatedChange, Report

SHOWN = " Each difference was shown on two servers, one with each policy."
_COUNTED = {"lost": LOST, "exposed": frozenset({Consequence.EXPOSED}), "more": frozenset({Consequence.MORE})}
_HAPPENS = {"lost": "lost", "exposed": "exposed", "more": "newly recorded"}
_WORDS = {Consequence.EXPOSED: "exposed bodies"}  # others read well before "of"
LONGEST = 60  # characters of what a forbidden change is about


def gate_record(
    result: GateResult, allowed: GateResult, diff: PolicyDiff, forbid: Collection[Consequence], only: Sequence[str]
) -> GateRecord:
    """The section ``gate``; each change with the proofs of one of its requests.

    ``allowed`` is the gate that forbids everything else. The decision is about the gate alone, not about the run.
    """
    record = to_record(result, forbid) | {"relation": str(result.relation), "only": list(only)}
    record["allowed"] = to_record(allowed, frozenset(Consequence) - frozenset(forbid))["forbidden"]
    for key, rows in (("forbidden", result.forbidden), ("allowed", allowed.forbidden)):
        for number, (row, data) in enumerate(zip(rows, record[key], strict=True), 1):
            data["proofs"] = _proofs(row, number if key == "forbidden" else None, diff)
    return concluded(GateRecord.model_validate(record))


def concluded(gate: GateRecord) -> GateRecord:
    """The section with its sentence."""
    return gate.model_copy(update={"decision": f"{capital(change_clause(gate))}."})


def _proofs(one: Forbidden, forbidden: int | None, diff: PolicyDiff) -> dict[str, str]:
    """The ids of the proofs of a request of the change, with either policy.

    ``forbidden`` is its number among the forbidden ones, from 1; None for a change that is allowed.
    """
    number = shown_by(one, diff)
    if number is None and (forbidden is None or one.witness.performable is None):
        return {}
    name = forbidden_id(forbidden or 0) if number is None else change_id(number)
    return {side: f"{policy.path}::{name}" for side, policy in (("old", diff.old), ("new", diff.new))}


def change(report: Report) -> ChangeStatement:
    """The statement about the change."""
    gate = report.gate
    if gate is None:
        sentence = "Nothing was forbidden." if report.change else "There is no base to compare the policy with."
        return ChangeStatement(word="NONE", passes=True, sentence=sentence)
    left = [one for one in gate.forbidden if not one.acknowledged]
    base = report.change.old.path if report.change else "the base"
    relation = str(gate.relation)
    be = "" if gate.relation in (Relation.MORE, Relation.LESS) else "is "
    counts = {word: _having(gate, effects) for word, effects in _COUNTED.items()}
    texts = [f"{count} {_HAPPENS[word]}" for word, count in counts.items() if count]
    kinds = f" (kinds of requests: {', '.join(texts)})" if texts else ""
    shown = SHOWN if change_is_shown(report) else ""
    return ChangeStatement(
        word=relation,
        passes=not left,
        sentence=f"Compared with {base}, this policy {be}{relation}{kinds}: {change_clause(gate)}.{shown}",
        forbidden=len(left),
        acknowledged=len(gate.forbidden) - len(left),
        **counts,
    )


def _having(gate: GateRecord, effects: Collection[Consequence]) -> int:
    rows = (*gate.forbidden, *gate.allowed)
    return len(
        {
            (row.text, row.who, row.verbs, row.what, row.where)
            for row in rows
            if any(one.effect in effects for one in row.effects)
        }
    )


def change_clause(gate: GateRecord) -> str:
    """What is forbidden and not acknowledged, in a clause."""
    if not gate.forbid:
        return "nothing is forbidden"
    left = [one for one in gate.forbidden if not one.acknowledged]
    known = len(gate.forbidden) - len(left)
    acknowledged = f"; {counted(known, 'change')} acknowledged" if known else ""
    limited = f" of {', '.join(gate.only)}" if gate.only else ""
    if not left:
        return f"nothing forbidden ({words_of(gate.forbid)}{limited}) is left{acknowledged}"
    be = "is" if len(left) == 1 else "are"
    names = named([*dict.fromkeys(map(forbidden_text, left))])
    return f"{counted(len(left), 'change')} {be} forbidden ({names}){acknowledged}"


def deciding_line(one: GatedChange) -> int:
    """The line of the given policy's rule that decides about a forbidden change; 1 if no rule matches."""
    return next((pair.new.line for pair in one.rules if pair.new), 1)


def forbidden_name(one: GatedChange) -> str:
    """A forbidden change, distinguished from all others: what happens to which requests."""
    what = " ".join(filter(None, (f"{', '.join(one.verbs)} of {one.what}" if one.verbs else one.what, one.where)))
    return f"{', '.join(str(effect.effect) for effect in one.effects)}: {what} by {one.who}"


def forbidden_reason(one: GatedChange) -> str:
    """How the recording of these requests changes, with one of them."""
    on = f" (on Kubernetes {', '.join(one.kubernetes)} only)" if one.kubernetes else ""
    return f"{one.text}{on}, for example {one.witness}"


def forbidden_text(one: GatedChange) -> str:
    """What happens to which requests, in a few words: ``lost-events of pods/exec``."""
    left = [effect.effect for effect in one.effects if effect.acknowledged is None]
    effects = left or [effect.effect for effect in one.effects]
    what, names = one.what, (*one.resources, *one.paths)
    if len(what) > LONGEST and len(names) > 1:
        what = f"{names[0]} and {len(names) - 1} more"
    return f"{', '.join(_WORDS.get(effect, str(effect)) for effect in effects)} of {what}"
