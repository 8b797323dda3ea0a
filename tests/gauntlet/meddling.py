"""How a proxy misbehaves: what it does with one request, out of a random.Random that the request's name seeds."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.gauntlet.events import Role, role_of

if TYPE_CHECKING:
    from collections.abc import Sequence

ANSWERS = {
    "answers-502": 502,
    "answers-500": 500,
    "answers-403": 403,
    "answers-302": 302,
    "answers-200": 200,
    "answers-401": 401,
    "answers-404": 404,
    "answers-429": 429,
    "answers-503": 503,
    "answers-504": 504,
}
KINDS = (
    *ANSWERS,
    *(f"{name}-echo" for name in ANSWERS),
    "status",  # forwards, and answers with another status
    "drop",  # forwards, and closes instead of answering
    "close",  # closes
    "half",  # forwards, and closes within the answer
    "twice",
    "other-path",
    "other-verb",
    "other-user",
    "rewrite",  # another Audit-ID goes to the server, and comes back
    "rewrite-back",  # another Audit-ID goes to the server, and the client's comes back
    "no-id",
    "no-echo",
    "cache",  # what was answered to the same request before
    "cache-echo",
    "delay",
)
# What the counters' readings may suffer: nothing that makes up what they say (see the package's list).
FOR_COUNTERS = ("answers-502", "answers-403", "drop", "close", "half", "delay", "cache")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the proxy sees it."""

    method: str
    uri: str
    user_agent: str
    turn: int  # how many of the same name came before it

    @property
    def role(self) -> Role:
        """What the request is for."""
        return role_of(self.user_agent, self.uri)


@dataclass(frozen=True, slots=True)
class Meddle:
    """One kind of misbehaviour, with some requests of a role."""

    kind: str
    role: Role
    chance: float
    seed: str

    def turns_to(self, asked: Asked) -> bool:
        """Whether it is this request's turn."""
        return asked.role is self.role and self.random(asked).random() < self.chance

    def random(self, asked: Asked) -> Random:
        """Chance for one request: the same in every run with the same seed."""
        return Random(f"{self.seed} {self.kind} {asked.method} {asked.uri} {asked.user_agent} {asked.turn}")

    def __str__(self) -> str:
        return f"proxy {self.kind} of {self.role} ({self.chance:.0%})"


def meddling_with(asked: Asked, meddles: Sequence[Meddle]) -> Meddle | None:
    """The first misbehaviour whose turn it is."""
    return next((each for each in meddles if each.turns_to(asked)), None)
