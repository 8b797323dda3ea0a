"""How a log reader misbehaves, line by line (see ``reader``). Each fault has a random.Random of its own."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.gauntlet.edits import EDITS
from tests.gauntlet.events import Line, Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.gauntlet.reader import LineFault, Reader

GARBAGE = (b"\x00" * 20 + b"\n", b"\xff\xfe{}\n", b"{}\n", b"null\n", b"\n", b'{"kind":"Event"}\n', b"[]\n", b"\r\n")


@dataclass(slots=True)
class Lie:
    """A fault that does something to ``chance`` of the lines that ``about`` is true of."""

    random: Random
    chance: float
    about: Callable[[Line], bool]

    def hits(self, line: Line) -> bool:
        """Whether it is this line's turn."""
        return self.about(line) and self.random.random() < self.chance

    def take(self, line: Line, reader: Reader) -> list[Line]:
        """See LineFault."""
        return self.lie(line, reader) if self.hits(line) else [line]

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        """What is handed on in the place of a line whose turn it is."""
        raise NotImplementedError


class Drop(Lie):
    """Hands nothing on."""

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        return []


class Double(Lie):
    """Hands a line on twice."""

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        return [line, line]


class Delay(Lie):
    """Hands a line on later, behind others."""

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        return [replace(line, later=self.random.choice([0.02, 0.1, 0.4]))]


@dataclass(slots=True)
class Reorder(Lie):
    """Keeps a line until another one has passed it."""

    kept: list[Line] = field(default_factory=list)

    def take(self, line: Line, reader: Reader) -> list[Line]:
        if self.hits(line):
            self.kept.append(line)
            return []
        passed, self.kept = self.kept, []
        return [line, *passed]


class Cut(Lie):
    """Hands a part of a line on."""

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        part = line.text[: self.random.randrange(1, len(line.text) - 1)]
        return [replace(line, text=part + b"\n")]


class Glue(Lie):
    """Loses the newline."""

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        return [replace(line, text=line.text[:-1])]


class Garbage(Lie):
    """Puts something in front that is no event."""

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        return [replace(line, text=self.random.choice(GARBAGE)), line]


@dataclass(slots=True)
class Edit(Lie):
    """Changes one field of an event, or of all events of a request (``whole``)."""

    edit: str = "level"
    whole: bool = False
    chosen: dict[str, bool] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def hits(self, line: Line) -> bool:
        if not self.whole:
            return Lie.hits(self, line)
        name = str(line.event.get("auditID"))
        if name not in self.chosen:
            self.chosen[name] = Lie.hits(self, line)
        return self.chosen[name]

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        event = line.copied()
        EDITS[self.edit](event, self.random, self.values)
        return [line.changed(event)]


@dataclass(slots=True)
class Forge(Lie):
    """Puts an event in front of a line, of the same request at another level, or of one whose Audit-ID it guesses."""

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        event = line.copied()
        event["level"] = self.random.choice(["Metadata", "Request", "RequestResponse"])
        counted = re.fullmatch(r"(.*-)(\d+)", str(event["auditID"]))
        if counted and self.random.random() < 0.7:
            event["auditID"] = f"{counted[1]}{max(1, int(counted[2]) - self.random.randint(0, 3))}"
        if self.random.random() < 0.5:
            event["stage"] = self.random.choice(["RequestReceived", "ResponseStarted", "ResponseComplete"])
        return [line.changed(event), line]


@dataclass(slots=True)
class Replay(Lie):
    """Hands an old line on once more."""

    old: deque[Line] = field(default_factory=lambda: deque(maxlen=12))

    def take(self, line: Line, reader: Reader) -> list[Line]:
        again = [self.random.choice(self.old)] if self.old and self.hits(line) else []
        self.old.append(line)
        return [*again, line]


@dataclass(slots=True)
class Swap(Lie):
    """Hands a line on with the Audit-ID of the one before it."""

    before: str = ""

    def take(self, line: Line, reader: Reader) -> list[Line]:
        other, self.before = self.before, str(line.event.get("auditID"))
        return [line.changed({**line.event, "auditID": other})] if other and self.hits(line) else [line]


@dataclass(slots=True)
class Truncate(Lie):
    """When the first line of the fence comes, cuts the file to where the first action began, or to nothing."""

    begun: int | None = None
    done: bool = False

    def take(self, line: Line, reader: Reader) -> list[Line]:
        if self.begun is None and line.role is Role.ACTION:
            self.begun = reader.size
        if not self.done and self.begun is not None and line.role is Role.FENCE:
            self.done = True
            reader.truncate(self.begun if self.random.random() < self.chance else 0)
        return [line]


@dataclass(slots=True)
class Rotate(Lie):
    """Begins another file now and then: keeps the old one, removes it, or loses a line meanwhile."""

    how: str = "kept"

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        reader.rotate(keep=self.how != "removed")
        return [] if self.how == "loss" else [line]


class Freeze(Lie):
    """From a line on, serves what there was."""

    def lie(self, line: Line, reader: Reader) -> list[Line]:
        reader.frozen = True
        return []


ABOUT: dict[str, Callable[[Line], bool]] = {
    "actions": lambda line: line.role is Role.ACTION,
    "fence": lambda line: line.role is Role.FENCE,
    "ours": lambda line: line.role is not Role.FOREIGN,
    "all": lambda line: True,
    "alice": lambda line: line.event.get("user", {}).get("username") == "alice",
    "gets": lambda line: line.event.get("verb") == "get" and line.role is Role.ACTION,
    "received": lambda line: line.event.get("stage") == "RequestReceived" and line.role is Role.ACTION,
    "complete": lambda line: line.event.get("stage") == "ResponseComplete" and line.role is Role.ACTION,
}
KINDS: dict[str, Callable[[Random, float, Callable[[Line], bool]], LineFault]] = {
    "drop": Drop,
    "double": Double,
    "delay": Delay,
    "reorder": Reorder,
    "cut": Cut,
    "glue": Glue,
    "garbage": Garbage,
    "forge": Forge,
    "replay": Replay,
    "swap": Swap,
    "truncate": Truncate,
    "rotate": Rotate,
    "rotate-loss": lambda random, chance, about: Rotate(random, chance, about, "loss"),
    "rotate-removed": lambda random, chance, about: Rotate(random, chance, about, "removed"),
    "freeze": Freeze,
    **{
        f"edit-{name}": lambda random, chance, about, name=name: Edit(random, chance, about, name, whole=True)  # type: ignore[misc]
        for name in EDITS
    },
    **{
        f"edit-{name}-once": lambda random, chance, about, name=name: Edit(random, chance, about, name)  # type: ignore[misc]
        for name in EDITS
    },
}
