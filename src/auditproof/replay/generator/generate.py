"""Runs the invented cluster: which request begins when, and the lines that the policy leaves of it, in their order.

Memory depends on the size of the cluster, not on that of the log: only open requests are kept.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from itertools import accumulate, count
from random import Random
from typing import TYPE_CHECKING, Any

from auditproof.audit.decide import decide
from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import emitted_stages
from auditproof.errors import AuditproofError
from auditproof.kube.attributes import is_long_running
from auditproof.replay.generator.call import SLOT
from auditproof.replay.generator.lines import template
from auditproof.replay.generator.moments import Moments
from auditproof.replay.generator.source import busy
from auditproof.replay.generator.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from auditproof.audit.policy.load import Policy
    from auditproof.replay.generator.call import Call
    from auditproof.replay.generator.source import Source, Story

_SECOND = 1_000_000  # all times are microseconds since the beginning of the log
_SOURCE, _BEGIN, _LINE = range(3)
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # of generated names (apimachinery pkg/util/rand)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What to generate: the ``policy`` and the size of the cluster; with ``work``, people and programs use it.

    The log ends after ``events`` lines or ``days``, whichever is first. With both, the cluster does everything slower
    or faster, so that so many events take about so many days.
    """

    policy: Policy
    begin: datetime
    seed: int = 0
    events: int | None = None
    days: float | None = None
    work: bool = True
    nodes: int = 3
    namespaces: int = 6


@dataclass(slots=True)
class _Recorded:
    """What the policy leaves of a call: the templates of its lines, and whether the request is long-running."""

    level: Level
    received: str | None
    started: str | None
    complete: str | None
    is_long: bool


@dataclass(slots=True)
class Generator:
    """Generates one log; afterwards, ``requests``, ``levels``, and ``events`` are what the server has counted.

    >>> from datetime import UTC, datetime
    >>> from auditproof import load_policy
    >>> policy = load_policy("fixtures/policies/baseline.yaml")
    >>> settings = LogSettings(policy, datetime(2026, 1, 5, tzinfo=UTC), events=1000)
    >>> len(list(Generator(settings).lines()))
    1000
    """

    settings: LogSettings
    requests: Counter[int] = field(default_factory=Counter)
    levels: Counter[Level] = field(default_factory=Counter)
    events: int = 0
    calls: dict[int, Call] = field(default_factory=dict)
    _recorded: dict[tuple[int, str], _Recorded] = field(default_factory=dict)
    _names: frozenset[str] = frozenset()
    _slow: float = 1.0
    _random: Random = field(default_factory=Random)
    _heap: list[Any] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)
    _version: int = 0
    _week: int = 0
    _moments: Moments | None = None

    def lines(self) -> Iterator[str]:
        """Every line of the log, with its line break.

        Raises AuditproofError if the policy records nothing of this cluster.
        """
        settings = self.settings
        self._random = Random(settings.seed)  # noqa: S311 - a log that can be repeated
        self._moments = Moments(settings.begin)
        begin = settings.begin
        self._week = begin.weekday() * 86400 + begin.hour * 3600 + begin.minute * 60 + begin.second
        self._names = frozenset(
            name for rule in settings.policy.rules for entry in rule.resources for name in entry.resource_names
        )
        self._version = 100_000 + self._random.getrandbits(16)
        sources = traffic(Random(settings.seed), settings.nodes, settings.namespaces, work=settings.work)  # noqa: S311
        self._slow = self._slowness(sources)
        self._heap = [self._first(source) for source in sources]
        heapify(self._heap)
        wanted = settings.events
        for line in self._run():
            yield line
            self.events += 1
            if self.events == wanted:
                return

    def _slowness(self, sources: list[Source]) -> float:
        """The factor of all intervals: 1 unless both events and days are given."""
        per_second = sum(
            source.per_second * weight * sum(self._count(call) for _, call in story) / sum(w for w, _ in source.stories)
            for source in sources
            for weight, story in source.stories
        )
        if not per_second:
            raise AuditproofError(
                f"{self.settings.policy.path}: the policy records nothing of the generated traffic, so there is no log"
            )
        if self.settings.events is None or self.settings.days is None:
            return 1.0
        return self.settings.days * 86400 * per_second / self.settings.events

    def _count(self, call: Call) -> int:
        """How many lines the policy leaves of a call."""
        found = self._record(call, {})
        return sum(line is not None for line in (found.received, found.started, found.complete))

    def _run(self) -> Iterator[str]:
        heap, end = self._heap, self._end()
        while heap:
            due, _, what, subject, values = heappop(heap)
            if due > end:
                return
            if what == _LINE:
                values["staged"] = self._moments.text(due)  # type: ignore[union-attr]
                if due >= 0:
                    yield subject % values
            elif what == _BEGIN:
                yield from self._begin(due, subject, values)
            else:
                yield from self._act(due, subject)

    def _end(self) -> float:
        days, events = self.settings.days, self.settings.events
        return days * 86400 * _SECOND if days is not None and events is None else float("inf")

    def _first(self, source: Source) -> Any:
        """When a source begins: at any time of its interval; a watch has begun before the log."""
        phase = self._random.random() * source.every * _SECOND * self._slow
        return (int(-phase if source.watch else phase), next(self._order), _SOURCE, source, None)

    def _act(self, now: int, source: Source) -> Iterator[str]:
        """Begin a story of a source, and plan when the next one begins."""
        drawn = self._random.random()
        if source.watch:
            interval = source.every * self._slow * (0.7 + 0.6 * drawn)  # client-go draws from 5 to 10 minutes
        elif source.timer:
            interval = source.every * self._slow * (0.99 + 0.02 * drawn)
        else:
            interval = self._random.expovariate(1.0 / (source.every * self._slow))
        heappush(self._heap, (now + int(interval * _SECOND), next(self._order), _SOURCE, source, None))
        if source.daily and self._random.random() > busy(self._week + now // _SECOND):
            return
        values = self._values(int(interval))
        for delay, call in self._story(source):
            if delay:
                later = now + int(delay * (0.6 + 0.8 * self._random.random()) * _SECOND)
                heappush(self._heap, (later, next(self._order), _BEGIN, call, values))
            else:
                yield from self._begin(now, call, values)

    def _story(self, source: Source) -> Story:
        if len(source.stories) == 1:
            return source.stories[0][1]
        steps = list(accumulate(weight for weight, _ in source.stories))
        return source.stories[bisect(steps, self._random.random() * steps[-1])][1]

    def _values(self, seconds: int) -> dict[str, Any]:
        """New values for the slots of a story."""
        bits = self._random.getrandbits(128)
        hexadecimal = f"{bits:032x}"
        letters = [_LETTERS[int(digit, 16)] for digit in hexadecimal[:15]]
        return {
            "uid": _uuid(hexadecimal),
            "suffix": "".join(letters[:5]),
            "hash": "".join(letters[5:]),
            "secs": seconds,
            "tag": hexadecimal[20:27],
        }

    def _begin(self, now: int, call: Call, values: dict[str, Any]) -> Iterator[str]:
        """Begin one request: its first line, and the later ones to come."""
        found = self._record(call, values)
        self.levels[found.level] += 1
        drawn = self._random.random()
        milliseconds = call.milliseconds * (0.5 + drawn * drawn * drawn * 4)
        seconds = values["secs"] if call.uri.endswith("watch=true") else milliseconds / 1000
        if found.level is Level.NONE:
            self.requests[id(call)] += 1
            return
        self._version += 1
        received = self._moments.text(now)  # type: ignore[union-attr]
        bits = f"{self._random.getrandbits(128):032x}"
        own = {**values, "id": _uuid(bits), "received": received, "staged": received, "rv": self._version}
        own["second"] = f"{received[:19]}Z"
        if found.received is not None and now >= 0:
            yield found.received % own
        if found.started is not None:
            soon = now + int(milliseconds * 500) if found.is_long else now + int(milliseconds * 1000)
            heappush(self._heap, (soon, next(self._order), _LINE, found.started, dict(own)))
        if found.complete is not None:
            later = now + max(int(seconds * _SECOND), int(milliseconds * 1000))
            heappush(self._heap, (later, next(self._order), _LINE, found.complete, own))
        self.requests[id(call)] += 1

    def _record(self, call: Call, values: dict[str, Any]) -> _Recorded:
        """What the policy leaves of a call; its name matters only where a rule mentions it."""
        name = ""
        if self._names:
            name = SLOT.sub(lambda slot: str(values.get(slot[1], "")), call.attributes.name)
            name = name if name in self._names else ""
        found = self._recorded.get((id(call), name))
        if found is None:
            found = self._recorded[id(call), name] = self._decide(call, name)
            self.calls[id(call)] = call
        return found

    def _decide(self, call: Call, name: str) -> _Recorded:
        attributes = replace(call.attributes, name=name) if name else call.attributes
        decision = decide(self.settings.policy, attributes)
        stages = emitted_stages(attributes, call.code) - decision.omit_stages
        if decision.level is Level.NONE:
            stages = frozenset()
        lines = {
            stage: template(call, decision.level, stage, managed=not decision.omit_managed_fields) for stage in stages
        }
        return _Recorded(
            decision.level,
            lines.get(Stage.REQUEST_RECEIVED),
            lines.get(Stage.RESPONSE_STARTED),
            lines.get(Stage.RESPONSE_COMPLETE),
            is_long_running(attributes),
        )


def _uuid(bits: str) -> str:
    """A UUID of version 4, of 32 hexadecimal digits."""
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-{'89ab'[int(bits[16], 16) & 3]}{bits[17:20]}-{bits[20:]}"
