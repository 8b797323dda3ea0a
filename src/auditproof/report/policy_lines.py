"""The given policy line by line, marked by what was shown about its rules."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from auditproof.audit.policy.place import Place
from auditproof.proof.verdict import Outcome
from auditproof.report.faithful import judged_by_given

if TYPE_CHECKING:
    from auditproof.report.model import Report


class FilePlace(TypedDict, total=False):
    """Where a policy inside another document is, as PolicyRecord has it; empty for a file of its own."""

    file: str
    first_line: int


def place_of(place: Place) -> FilePlace:
    """The file that holds a policy, and the line on which its text begins there, if it is literal."""
    if place == Place.file(place.name):
        return {}
    return {"file": place.holder.path, "first_line": place.first_line or 0}


@dataclass(frozen=True, slots=True)
class RuleShown:
    """A rule (counted from 1) of the given policy, and how many of the actions that it decided are not proven."""

    number: int
    decided: int
    wrong: int

    @property
    def state(self) -> str:
        """In a word: proven, open (nothing was decided by it) or wrong."""
        if self.wrong:
            return "wrong"
        return "proven" if self.decided else "open"

    @property
    def text(self) -> str:
        """In a sentence."""
        if not self.decided:
            return f"rule {self.number}: decided none of these actions"
        actions = "1 action" if self.decided == 1 else f"{self.decided} actions"
        return f"rule {self.number}: decided {actions}, " + (f"{self.wrong} not proven" if self.wrong else "all proven")


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """A line of the given policy; ``number`` is that in the file that holds it.

    ``begins`` are the rules that begin on it (several, where the policy is JSON on one line); ``state`` is that of the
    rule that the line belongs to, empty above the first.
    """

    number: int
    text: str
    begins: tuple[RuleShown, ...]
    state: str


def policy_lines(report: Report) -> list[PolicyLine]:
    """The given policy line by line, with what was shown about each rule."""
    found: defaultdict[int, list[Outcome]] = defaultdict(list)
    for proof in judged_by_given(report):
        if proof.audit_id and proof.expected.rule is not None:
            found[proof.expected.rule].append(proof.verdict)
    verdicts = found
    rules: dict[int, list[RuleShown]] = {}
    for rule, line in enumerate(report.policy.rule_lines):
        wrong = sum(1 for verdict in verdicts[rule] if verdict is not Outcome.PROVEN)
        rules.setdefault(line, []).append(RuleShown(rule + 1, len(verdicts[rule]), wrong))
    lines, state = [], ""
    for number, text in enumerate(report.policy.text.splitlines(), report.policy.first_line or 1):
        begins = tuple(rules.get(number, ()))
        state = begins[-1].state if begins else state
        lines.append(PolicyLine(number, text, begins, state))
    return lines
