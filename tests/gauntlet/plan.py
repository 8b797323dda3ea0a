"""What one run is: everything about it follows from the seed and the run's number."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.gauntlet import lies, meddling
from tests.gauntlet.events import Role
from tests.gauntlet.meddling import Meddle

if TYPE_CHECKING:
    from tests.gauntlet.reader import LineFault

CHANCES = (1.0, 0.5, 0.2)
RARE = (0.3, 0.1)  # for what spoils all that follows
SPOILING = {"freeze", "rotate", "rotate-loss", "rotate-removed"}


@dataclass(frozen=True, slots=True)
class LieSpec:
    """A fault of the log reader, to be made anew in each run."""

    kind: str
    about: str
    chance: float
    seed: str

    def make(self) -> LineFault:
        """The fault itself."""
        return lies.KINDS[self.kind](Random(self.seed), self.chance, lies.ABOUT[self.about])

    def __str__(self) -> str:
        return f"log {self.kind} of {self.about} ({self.chance:.0%})"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. ``by_command``: the log is read by a command; ``noise``: others use the server, too."""

    number: int
    seed: str
    lies: tuple[LieSpec, ...]
    meddles: tuple[Meddle, ...]
    noise: bool
    by_command: bool

    @property
    def control(self) -> bool:
        """Whether nothing misbehaves."""
        return not self.lies and not self.meddles

    @property
    def kinds(self) -> tuple[str, ...]:
        """The faults by name."""
        return tuple(sorted({f"log {lie.kind}" for lie in self.lies} | {f"proxy {m.kind}" for m in self.meddles}))

    def __str__(self) -> str:
        parts = [*map(str, self.lies), *map(str, self.meddles)]
        return " + ".join([*parts, *(["noise"] if self.noise else [])]) or "no fault"


def plan_of(seed: int, number: int) -> Plan:
    """The plan of a run."""
    name = f"{seed}:{number}"
    random = Random(name)
    drawn = random.random()
    log = 0.15 <= drawn < 0.6 or drawn >= 0.88
    proxy = drawn >= 0.6
    told = tuple(_lie(random, f"{name}:{n}") for n in range(random.choice([1, 1, 2]))) if log else ()
    done = tuple(_meddle(random, f"{name}:{n}", log=log) for n in range(random.choice([1, 1, 2]))) if proxy else ()
    return Plan(number, name, told, done, noise=random.random() < 0.4, by_command=bool(told) and random.random() < 0.25)


def _lie(random: Random, seed: str) -> LieSpec:
    family = random.choice(["drop", "edit", "other", "other"])
    edits = [kind for kind in lies.KINDS if kind.startswith("edit-")]
    others = [kind for kind in lies.KINDS if kind not in edits and kind != "drop"]
    kind = {"drop": ["drop"], "edit": edits, "other": others}[family]
    chosen = random.choice(kind)
    return LieSpec(chosen, random.choice(list(lies.ABOUT)), random.choice(RARE if chosen in SPOILING else CHANCES), seed)


def _meddle(random: Random, seed: str, *, log: bool) -> Meddle:
    """A fault of the proxy; what a proxy does to the counters is left out where the log lies, too."""
    roles = [Role.ACTION, Role.ACTION, Role.ACTION, Role.FENCE, Role.PREPARING, *([] if log else [Role.COUNTERS])]
    role = random.choice(roles)
    kinds = meddling.FOR_COUNTERS if role is Role.COUNTERS else meddling.KINDS
    return Meddle(random.choice(kinds), role, 0.1 if role is Role.PREPARING else random.choice(CHANCES), seed)
