"""What one run is: everything about it follows from the seed and the run's number."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.gauntlet import etcd, kubelet, lies, meddling
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
    """One run. ``by_command``: the log is read by a command; ``noise``: others use the server, too.

    ``way`` is what the way to the node does to ``chance`` of its connections, ``pause`` which servers stand still for a
    moment, or one of which is killed (``kill``).
    """

    number: int
    seed: str
    lies: tuple[LieSpec, ...] = ()
    meddles: tuple[Meddle, ...] = ()
    noise: bool = False
    by_command: bool = False
    way: str = ""
    chance: float = 0.0
    pause: str = ""
    kill: bool = False

    @property
    def control(self) -> bool:
        """Whether nothing misbehaves."""
        return not self.kinds

    @property
    def kinds(self) -> tuple[str, ...]:
        """The faults by name."""
        between = {f"log {lie.kind}" for lie in self.lies} | {f"proxy {meddle.kind}" for meddle in self.meddles}
        beyond = {f"kubelet {self.way}"} if self.way else set()
        beyond |= {f"{'kill' if self.kill else 'pause'} {self.pause}"} if self.pause else set()
        return tuple(sorted(between | beyond))

    def __str__(self) -> str:
        parts = [*map(str, self.lies), *map(str, self.meddles)]
        parts += [f"kubelet {self.way} ({self.chance:.0%})"] if self.way else []
        parts += [f"{'killed' if self.kill else 'paused'}: {self.pause}"] if self.pause else []
        return " + ".join([*parts, *(["noise"] if self.noise else [])]) or "no fault"


def plan_of(seed: int, number: int, part: str = "", *, kill: bool = False) -> Plan:
    """The plan of a run; ``part`` is what misbehaves beyond the server: "kubelet", "etcd" or nothing."""
    name = f"{seed}:{number}"
    random = Random(name)
    drawn = random.random()
    noise = random.random() < 0.4
    if drawn < 0.15 and not kill:
        return Plan(number, name, noise=noise)
    if part:
        told = (_lie(random, f"{name}:0"),) if random.random() < 0.3 else ()
        if part == "kubelet":
            return Plan(number, name, told, way=random.choice(kubelet.KINDS), chance=random.choice(CHANCES))
        return Plan(number, name, told, noise=noise, pause=random.choice(etcd.KINDS), kill=kill)
    log, proxy = drawn < 0.6 or drawn >= 0.88, drawn >= 0.6
    lying = tuple(_lie(random, f"{name}:{n}") for n in range(random.choice([1, 1, 2]))) if log else ()
    meddles = tuple(_meddle(random, f"{name}:{n}", log=log) for n in range(random.choice([1, 1, 2]))) if proxy else ()
    return Plan(number, name, lying, meddles, noise, by_command=bool(lying) and random.random() < 0.25)


def _lie(random: Random, seed: str) -> LieSpec:
    """A fault of the log reader: lines are dropped, events edited, or anything else."""
    edits = [kind for kind in lies.KINDS if kind.startswith("edit-")]
    others = [kind for kind in lies.KINDS if kind not in edits and kind != "drop"]
    kind = random.choice(random.choice([["drop"], edits, others, others]))
    about = random.choice(list(lies.ABOUT))
    return LieSpec(kind, about, random.choice(RARE if kind in SPOILING else CHANCES), seed)


def _meddle(random: Random, seed: str, *, log: bool) -> Meddle:
    """A fault of the proxy; what a proxy does to the counters is left out where the log lies, too."""
    roles = [Role.ACTION, Role.ACTION, Role.ACTION, Role.FENCE, Role.PREPARING, *([] if log else [Role.COUNTERS])]
    role = random.choice(roles)
    kinds = meddling.FOR_COUNTERS if role is Role.COUNTERS else meddling.KINDS
    return Meddle(random.choice(kinds), role, 0.1 if role is Role.PREPARING else random.choice(CHANCES), seed)
