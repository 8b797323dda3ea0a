"""Which requirements the policy meets, and what was shown of them: one of the statements behind a decision. Pure.

Whether the policy meets a requirement is computed over all requests. The proofs of a requirement show that the server
records these requests as the policy decides; only with them a requirement is met.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.proof.verdict import Outcome
from auditproof.report.log_lines import counted
from auditproof.report.model import RequirementsStatement
from auditproof.report.policy_place import in_policy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from auditproof.report.model import Report, RequirementRecord, ViolationRecord

NAMED = 3  # requirements that a clause names


class State(StrEnum):
    """What is known about a requirement, worst first."""

    UNMET = "NOT MET"
    NOT_SHOWN = "NOT SHOWN"
    NOT_SELECTED = "NOT SELECTED"
    MET = "MET"


@dataclass(frozen=True, slots=True)
class RequirementState:
    """A requirement with what a run has shown of it: how many of its proofs were ``performed`` and ``proven``.

    ``reason`` is why it is not shown. ``fails``: it keeps the run from passing.
    """

    record: RequirementRecord
    state: State
    performed: int
    proven: int
    reason: str
    fails: bool

    @property
    def status(self) -> str:
        """Compared with the base or a baseline: new, known or fixed; empty if there is none, or nothing changes."""
        return self.record.status

    @property
    def place(self) -> str:
        """Where it is stated."""
        return f"{self.record.file}:{self.record.line}"

    @property
    def name(self) -> str:
        """Its id with its title."""
        return f"{self.record.id}: {self.record.title}"


def requirement_states(report: Report) -> list[RequirementState]:
    """The requirements, those that keep the run from passing first, then by state."""
    if not report.requirements:
        return []
    verdicts = {proof.id: proof.verdict for proof in report.proofs}
    planned = verdicts.keys() | set(report.not_performed)
    rows = [_state(record, verdicts, planned, report) for record in report.requirements]
    return sorted(rows, key=lambda row: (not row.fails, list(State).index(row.state), row.status != "new"))


def _state(
    record: RequirementRecord, verdicts: Mapping[str, Outcome], planned: Collection[str], report: Report
) -> RequirementState:
    found = [verdicts[name] for name in record.proofs if name in verdicts]
    proven = found.count(Outcome.PROVEN)
    selected = [name for name in record.proofs if name in planned]
    open_proofs = len(selected) - proven
    reason = ""
    if record.violations:
        state = State.UNMET
    elif not record.proofs:
        # Not met: a requirement that selects no request is probably misspelt.
        if not record.classes:
            nothing_to_show = "no request that the server serves is meant"
        else:
            nothing_to_show = "no recorded request is about it" if report.log else "no client can send such a request"
        state, reason = State.NOT_SHOWN, nothing_to_show
    elif open_proofs:
        state, reason = State.NOT_SHOWN, f"{open_proofs} of {counted(len(selected), 'request')} not proven"
    else:
        state = State.MET if len(selected) == len(record.proofs) else State.NOT_SELECTED
    fail_on = report.fail_on
    if state is State.UNMET:
        fails = fail_on == "unmet" or (fail_on == "new" and record.status != "known")
    else:
        fails = state is State.NOT_SHOWN and fail_on != "never"
    return RequirementState(record, state, len(found), proven, reason, fails)


def requirements(report: Report) -> RequirementsStatement:
    """The statement about requirements."""
    states = requirement_states(report)
    kinds = [one.state for one in states]
    word = "NONE"
    if states:
        word = next((str(state) for state in (State.UNMET, State.NOT_SHOWN) if state in kinds), "")
        word = word or str(State.MET if State.MET in kinds else State.NOT_SELECTED)
    clause = requirements_clause(states, base=report.gate is not None)
    return RequirementsStatement(
        word=word,
        passes=not any(one.fails for one in states),
        sentence=f"{clause[:1].upper()}{clause[1:]}." if clause else "No requirement was checked.",
        met=kinds.count(State.MET),
        unmet=kinds.count(State.UNMET),
        not_shown=kinds.count(State.NOT_SHOWN),
        not_selected=kinds.count(State.NOT_SELECTED),
    )


def requirements_clause(states: Sequence[RequirementState], *, base: bool, total: int | None = None) -> str:
    """How many of ``total`` requirements (None: of these) are met and which are not, in a clause; empty without any.

    ``base``: the policy is compared with one; otherwise, an unmet requirement is new if no entry accepts it.
    """
    if not states:
        return ""
    every = len(states) if total is None else total
    clauses = list(_clauses(states, f"of {every} requirements", base))
    if not clauses:
        clauses.append("the requirement is met" if every == 1 else f"all {every} requirements are met")
    if fixed := [one.record.id for one in states if one.status == "fixed" and one.state is State.MET]:
        clauses.append(f"{len(fixed)} newly met ({named(fixed)})")
    return "; ".join(clauses)


def _clauses(states: Sequence[RequirementState], of_all: str, base: bool) -> Iterator[str]:
    unmet = [one for one in states if one.state is State.UNMET]
    new = "newly not met" if base else "not met"
    for status, words in (("new", new), ("", "not met"), ("known", "known not to be met")):
        if some := [one for one in unmet if one.status == status]:
            yield f"{len(some)} {of_all} {_be(some)} {words} ({named([one.record.id for one in some])})"
    if some := [one for one in states if one.state is State.NOT_SHOWN]:
        yield f"{len(some)} {of_all} {_be(some)} not shown ({named([one.record.id for one in some])})"
    if some := [one for one in states if one.state is State.NOT_SELECTED]:
        yield f"{len(some)} {of_all} {_be(some)} not selected"


def _be(some: Sequence[object]) -> str:
    return "is" if len(some) == 1 else "are"


def named(names: Sequence[str]) -> str:
    """The first few of these names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f", and {more} more" if more > 0 else "")


def blame(violation: ViolationRecord, report: Report) -> str:
    """The rule that records a kind of requests otherwise than required, with its place."""
    if violation.rule is None or violation.line is None:
        return f"no rule of {report.policy.path} matches"
    path, line = in_policy(report, violation.line)
    return f"rule {violation.rule + 1} ({path}:{line})"


def violated_text(violation: ViolationRecord, report: Report) -> str:
    """Which requests are recorded how, and by which rule."""
    about = " ".join(filter(None, (f"{violation.verbs} of {violation.what}", violation.where)))
    at = f", with events at {', '.join(violation.stages)}" if violation.stages is not None else ""
    found = "not recorded" if violation.level is Level.NONE else f"recorded at {violation.level}"
    by = f"{'' if violation.rule is None else 'by '}{blame(violation, report)}"
    return f"{about} by {violation.who}: {found}{at}, {by}"


def worst_violation(record: RequirementRecord) -> ViolationRecord:
    """The first kind of requests that violates a requirement; of a newly unmet one, the first that did not before."""
    return next((one for one in record.violations if record.status == "new" and not one.known), record.violations[0])


def blamed_places(record: RequirementRecord, report: Report) -> list[tuple[str, int]]:
    """Where the rule to blame for an unmet requirement is; nothing if no rule is."""
    line = worst_violation(record).line if record.violations else None
    return [in_policy(report, line)] if line else []


def requirement_reason(state: RequirementState, report: Report) -> str:
    """Why a requirement is not met or not shown: of the former, the first kind of requests, and what has to change."""
    if state.state is not State.UNMET:
        return state.reason
    others = len(state.record.violations) - 1
    more = f" (and {counted(others, 'more kind')} of requests)" if others else ""
    return f"{violated_text(worst_violation(state.record), report)}{more}; {remedy(state, report)}"


def remedy(state: RequirementState, report: Report) -> str:
    """What has to change so that an unmet requirement is met; empty for others."""
    record = state.record
    if not record.violations:
        return ""
    first = worst_violation(record)
    at = blame(first, report)
    text = first.remedy or (f"change {at}, or put a rule before it" if first.rule is not None else "add a rule")
    return f"required: {record.level}; remedy: {text}"
