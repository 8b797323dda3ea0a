"""What a replay has found: what a policy keeps, drops, lowers and raises of a recorded log. Pure data.

Bytes are those of lines with their line break, as the API server writes them before any compression.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Volume:
    """A number of events and their bytes."""

    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Bodies that the new policy records and the log has not: how many, and their size as far as it is known.

    ``estimated_bytes`` takes the mean of the measured bodies of the same verb and resource for each of them,
    ``most_bytes`` the largest measured one; ``unmeasured`` is the number of bodies of which no size was ever measured.
    """

    bodies: int
    estimated_bytes: int
    most_bytes: int
    unmeasured: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the log: what it is, its volume as recorded, and what the policy (and the base) records of it."""

    name: str
    recorded: Volume
    after: Volume
    base: Volume | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What becomes of the recorded events, each in exactly one of these."""

    kept: Volume
    lowered: Volume
    raised: Volume
    dropped: Volume
    stage_dropped: Volume


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that would save most if it were the first of the policy.

    ``share`` is its part of the bytes that the policy records of this log, ``level`` the level it gives, ``yaml`` the
    rule, ``blinded`` the detection rules that would lose requests; None if none were given.
    """

    name: str
    level: str
    saved: Volume
    share: float
    yaml: str
    blinded: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Deviation:
    """How the log differs from what the base records of the same requests: events by recorded and computed level."""

    recorded: str
    computed: str
    events: int


@dataclass(frozen=True, slots=True)
class NotCounted:
    """What is missing from the sums: where, why, and how often."""

    where: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The result of a replay; ``days`` is the time between the first and the last event.

    ``in_python`` is the number of events that had to be parsed outside SQL, which depends on the engine. ``lost`` and
    ``starts`` are the classes of requests that the policy records less or more of than the base, whether the log has
    any of them or not; ``blinded`` are the detection rules that it does not feed (compared with the base, if there is
    one).
    """

    policy: str
    base: str | None
    files: int
    first: str
    last: str
    days: float
    recorded: Volume
    after: Volume
    base_volume: Volume | None
    changes: Changes
    unknown: Unknown
    rules: tuple[Part, ...]
    levels: tuple[Part, ...]
    verbs: tuple[Part, ...]
    resources: tuple[Part, ...]
    users: tuple[Part, ...]
    by_day: tuple[Part, ...]
    candidates: tuple[Candidate, ...]
    deviations: tuple[Deviation, ...]
    not_counted: tuple[NotCounted, ...]
    other_logs: dict[str, int]
    forms: dict[str, int]
    in_python: int
    remarks: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    blinded: tuple[str, ...] | None = None

    @property
    def saved(self) -> float:
        """The part of the recorded bytes that the policy does not record; negative if it records more."""
        return 1 - self.after.bytes / self.recorded.bytes if self.recorded.bytes else 0.0

    def per_day(self, number: float) -> float:
        """A number of this log as one of a day; 0 if the log has no duration."""
        return number / self.days if self.days else 0.0
