"""What the runs of a gauntlet come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.gauntlet.truth import Grade

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.gauntlet.performing import Graded, Performed
    from tests.gauntlet.sessions import Session

UNSHOWN = (Grade.UNPROVEN, Grade.VOID)


@dataclass(slots=True)
class Tally:
    """Counts of runs and verdicts, and what is to be told of them one by one."""

    seed: int
    runs: int = 0
    refused: int = 0
    why_refused: Counter[str] = field(default_factory=Counter)
    controls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)  # by kind of fault
    verdicts: Counter[str] = field(default_factory=Counter)  # by kind of fault
    blamed: int = 0
    beyond: int = 0
    useless: int = 0  # UNPROVEN although nothing misbehaved
    crashes: int = 0
    sessions: int = 0
    contradictions: int = 0
    slowest: list[tuple[float, int]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """Everything that must not be."""
        return self.wrong.total() + self.useless + self.crashes + self.contradictions

    def add_run(self, run: Performed) -> Iterator[str]:
        """Count a run; answers what is to be told of it."""
        self.runs += 1
        self.slowest = sorted([*self.slowest, (run.seconds, run.plan.number)])[-3:]
        self.controls += run.control
        self.refused += bool(run.refused)
        self.why_refused[_short(run.refused)] += bool(run.refused)
        if run.crash:
            self.crashes += 1
            yield self._tell(f"CRASH in run {run.plan.number}", run, run.crash.strip())
        if run.refused and run.control:
            self.useless += 1
            yield self._tell(f"REFUSED without a fault in run {run.plan.number}", run, run.refused)

    def add(self, graded: Graded) -> Iterator[str]:
        """Count a verdict; answers what is to be told of it."""
        run, verdict = graded.performed, graded.proof.verdict
        kinds = run.plan.kinds or ("no fault",)
        self.outcomes[verdict.outcome] += 1
        self.verdicts.update(kinds)
        self.blamed += graded.grade is Grade.BLAMED
        self.beyond += graded.grade is Grade.BEYOND
        what = f"{verdict.outcome} of {_words(graded)}"
        if graded.grade is Grade.BEYOND:
            yield self._tell(f"BEYOND: {what}", run, graded.why)
        if graded.grade is Grade.WRONG:
            self.wrong[" + ".join(kinds)] += 1
            yield self._tell(f"WRONG: {what}", run, f"truth: {graded.why}; said: {'; '.join(verdict.reasons)}")
        if graded.grade is Grade.UNPROVEN and run.control:
            self.useless += 1
            yield self._tell(f"USELESS: {what}", run, "; ".join(verdict.reasons))

    def add_session(self, session: Session, faults: Sequence[str]) -> Iterator[str]:
        """Count a pytest session; answers what is to be told of it."""
        self.sessions += 1
        self.contradictions += bool(faults)
        if faults:
            again = _again(self.seed, session.number)
            yield f"CONTRADICTION in session {session.number}: {session.name}\n    {'; '.join(faults)}\n    {again}"

    def _tell(self, what: str, run: Performed, why: str) -> str:
        again = _again(self.seed, run.plan.number)
        self.told.append(f"{what}\n    {run.plan}; {run.station}\n    {why}\n    {again}")
        return self.told[-1]

    def table(self) -> str:
        """The closing table."""
        proven, violated, unproven = (self.outcomes[name] for name in ("PROVEN", "VIOLATED", "UNPROVEN"))
        lines = [
            f"{self.runs} runs ({self.controls} without a fault, {self.refused} refused), seed {self.seed}",
            f"{self.outcomes.total()} verdicts: {proven} PROVEN, {violated} VIOLATED, {unproven} UNPROVEN",
            f"{self.wrong.total()} WRONG, {self.useless} UNPROVEN without a fault, {self.crashes} crashes",
            f"{self.beyond} more are wrong by what is out of reach; {self.blamed} VIOLATED of an altered request",
            f"{self.sessions} pytest sessions, {self.contradictions} of them contradict themselves or the truth",
        ]
        lines += [f"  {count:5} wrong by {kind}" for kind, count in self.wrong.most_common()]
        lines += [f"  {count:5} refused: {why}" for why, count in self.why_refused.most_common(5) if why]
        lines += ["  slowest: " + ", ".join(f"run {number} ({seconds:.0f} s)" for seconds, number in self.slowest)]
        return "\n".join(lines)


def _short(reason: str) -> str:
    """Beginning and end of a reason that may hold a whole answer."""
    return reason if len(reason) < 160 else f"{reason[:80]} ... {reason[-70:]}"


def _again(seed: int, number: int) -> str:
    return f'make gauntlet ARGS="--seed {seed} --only {number}"'


def _words(graded: Graded) -> str:
    step, expected = graded.proof.case, graded.proof.case.expectation
    said = {
        "level": expected.level,
        "stages": expected.stages and sorted(expected.stages),
        "status": expected.status,
        "present": expected.present,
        "absent": expected.absent,
        "event": expected.event,
    }
    words = ", ".join(f"{key} {value}" for key, value in said.items() if value not in (None, (), {}))
    return f"{step.id} ({step.request.method} {step.request.uri} by {step.identity}; {words or 'as the policy says'})"
