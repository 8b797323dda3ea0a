"""What really happened to an action: the server's whole log, as the server wrote it, and what really came to it.

No word of this comes from what the prover has read. What the policy says is taken from ``decide``, which other tests
hold against real servers; all else is judged here anew, by other means than in the engine.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from auditproof.audit.decide import decide
from auditproof.audit.event import Level
from auditproof.audit.stages import emitted_stages
from auditproof.kube.attributes import UserInfo, attributes_of, is_long_running
from auditproof.proof.verdict import Outcome
from tests.gauntlet.events import Role, role_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import Case
    from auditproof.client.exchange import Exchange

_STAGES = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]
RESPONSE = ("ResponseStarted", "ResponseComplete")  # either is all that a server may record of a long-running request
Event = dict[str, Any]


@dataclass(slots=True)
class Between:
    """What a proxy really did in a run: what it forwarded, and which requests it answered itself in the server's name.

    Those are the Audit-IDs that it gave back as the server would. ``noise``: others used the server meanwhile.
    """

    noise: bool = False
    forwarded: list[Forwarded] = field(default_factory=list)
    forged: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """One request that really went to the server, for one that a client sent with ``client_id``.

    ``same``: it is the client's own in all but its Audit-ID. ``status`` is the server's own answer, 0 where none came;
    ``answered``: the client got an answer of the server's, ``echo``: the server's has an Audit-Id.
    """

    client_id: str
    sent_id: str
    same: bool
    status: int
    echo: bool


class Grade(StrEnum):
    """What a verdict is worth."""

    RIGHT = "right"
    WRONG = "wrong"
    BEYOND = "beyond"  # wrong, by what the package lists as out of reach
    BLAMED = "blamed"  # VIOLATED, where the log really is not as stated, because another request came than was sent
    UNPROVEN = "unproven"  # where something could have been shown
    VOID = "void"  # UNPROVEN, where nothing could be shown


_ABOUT = timedelta(seconds=1)  # about what a batch takes, with its readings of the counters
# What every API server asks of itself all the time; where the policy excludes that, it is noise at level None.
_LEASE = attributes_of(
    "PUT",
    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/apiserver",
    UserInfo("system:apiserver", ("system:authenticated", "system:masters")),
)


@dataclass(frozen=True, slots=True)
class Truth:
    """``differs`` says how the server's log is not as the case states; empty where it is.

    ``void`` says why the action, as it is stated, did not happen at all, or why nobody can know; ``other`` that another
    request came to the server in its place, ``times`` how often it came, ``beyond`` that nothing could show it.
    ``exchangeable`` is the one stage of a response at which a long-running request was recorded, if it was only there.
    """

    differs: str
    void: str = ""
    other: bool = False
    times: int = 1
    beyond: bool = False
    exchangeable: str = ""

    @property
    def altered(self) -> str:
        """How what came to the server is not what was sent."""
        if self.other:
            return "another request came to the server"
        return f"it came to the server {self.times} times" if self.times != 1 else ""

    def grade(self, outcome: Outcome, seen: Collection[str] = ()) -> tuple[Grade, str]:
        """What a verdict on this is worth, and why; ``seen`` are the stages that the log showed to the prover."""
        grade, why = self._grade(outcome)
        moved = bool(self.exchangeable) and {*seen, self.exchangeable} == set(RESPONSE) and len(seen) == 1
        beyond = self.beyond or (outcome is Outcome.VIOLATED and moved)
        return (Grade.BEYOND if grade is Grade.WRONG and beyond else grade), why

    def _grade(self, outcome: Outcome) -> tuple[Grade, str]:
        if outcome is Outcome.PROVEN:
            why = self.void or (self.altered if self.other else "") or self.differs
            return (Grade.WRONG, why) if why else (Grade.RIGHT, "")
        if outcome is Outcome.VIOLATED:
            return self._violated()
        return (Grade.VOID if self.void or self.altered else Grade.UNPROVEN), self.void or self.altered

    def _violated(self) -> tuple[Grade, str]:
        if not self.times:
            return Grade.WRONG, self.void
        if self.altered:
            return Grade.BLAMED, self.altered
        return (Grade.RIGHT, "") if self.differs else (Grade.WRONG, "the server's own log is as the case states")


def events_of(log: Path, begin: int = 0) -> tuple[Mapping[str, list[Event]], int]:
    """Every event of a server's own log after a byte, by Audit-ID, and where the log ends."""
    found: dict[str, list[Event]] = defaultdict(list)
    with log.open("rb") as file:
        file.seek(begin)
        for line in file:
            event = json.loads(line)
            found[event["auditID"]].append(event)
        return found, file.tell()


def truth_about(
    step: Case, exchange: Exchange, between: Between | None, log: Mapping[str, list[Event]], judged: Policy
) -> Truth:
    """The truth about an action; ``between`` is None where the client spoke to the server itself."""
    if between is None:
        # the answer to whoever asks for another protocol is the kubelet's own, which knows of no Audit-Id
        echo = bool(exchange.header("Audit-Id")) or bool(exchange.error) or bool(exchange.request.upgrade)
        own = [Forwarded(exchange.audit_id, exchange.audit_id, same=True, status=exchange.status, echo=echo)]
    else:
        own = [each for each in between.forwarded if each.client_id == exchange.audit_id]
    if not own:
        beyond = (
            between is not None
            and exchange.audit_id in between.forged
            and (between.noise or decide(judged, _LEASE).level is Level.NONE or _others_acted(log, exchange))
        )
        return Truth("", void="it never came to the server", times=0, beyond=beyond)
    events = [event for name in dict.fromkeys(each.sent_id for each in own) for event in log.get(name, ())]
    differs = "; ".join(_differences(step, own[0].status, events, judged))
    other = not all(each.same for each in own)
    decision = decide(judged, step.attributes)
    kept = emitted_stages(step.attributes, own[0].status) - decision.omit_stages
    trace = bool(events) or (decision.level is not Level.NONE and bool(kept))
    lied = other or (between is not None and not exchange.error and own[0].status != exchange.status)
    stages = {event["stage"] for event in events}
    one = stages.pop() if len(stages) == 1 and is_long_running(step.attributes) and exchange.status != 401 else ""
    exchangeable = one if one in RESPONSE else ""
    return Truth(differs, _void(step, exchange, own), other, len(own), lied and not trace, exchangeable)


def _others_acted(log: Mapping[str, list[Event]], exchange: Exchange) -> bool:
    """Whether the server recorded a request of another client at about the time of an exchange."""
    since, until = exchange.started - _ABOUT, exchange.finished + _ABOUT
    return any(
        datetime.fromisoformat(event["requestReceivedTimestamp"]) <= until
        and datetime.fromisoformat(event["stageTimestamp"]) >= since
        for events in log.values()
        for event in events
        if role_of(str(event.get("userAgent", ""))) is Role.FOREIGN
    )


def _void(step: Case, exchange: Exchange, own: Sequence[Forwarded]) -> str:
    status, stated = own[0].status, step.expectation.status
    if not own[0].echo:
        return "the server answered without consulting its policy"
    if exchange.error or not exchange.status:
        return "no complete answer came to the client"
    if stated is not None and status != stated:
        return f"the server answered {status}, the case states {stated}"
    return ""


def _differences(step: Case, status: int, events: list[Event], judged: Policy) -> Iterator[str]:
    """How the server's own events are not what case and policy say."""
    expected, decision = step.expectation, decide(judged, step.attributes)
    level = decision.level if expected.level is None else expected.level
    kept = {str(stage) for stage in emitted_stages(step.attributes, status) - decision.omit_stages}
    decided = kept if decision.level is not Level.NONE else set()
    stated = kept if level is not Level.NONE else set()
    stated = stated if expected.stages is None else set(map(str, expected.stages))
    stages = Counter(event["stage"] for event in events)
    found = {event["level"] for event in events}
    for whose, wanted in (("case", stated), ("policy", decided)):
        if set(stages) != wanted:
            yield f"the server recorded {sorted(stages)}, the {whose} says {sorted(wanted)}"
    if any(count > 1 for count in stages.values()):
        yield f"the server recorded {dict(stages)}"
    for whose, one in (("case", level), ("policy", decision.level)):
        if found - {str(one)}:
            yield f"the server recorded at {sorted(found)}, the {whose} says {one}"
    if level is not decision.level and not found and level is not Level.NONE:
        yield f"the case says {level}, the policy {decision.level}"
    last = max(events, key=lambda event: _STAGES.index(event["stage"]), default={})
    yield from _fields(step, last)


def _fields(step: Case, event: Event) -> Iterator[str]:
    expected = step.expectation
    for path in expected.present:
        if _at(event, path) is None:
            yield f"there is no {path}"
    for path in expected.absent:
        if _at(event, path) is not None:
            yield f"there is {path}"
    if expected.event and not _holds(event, dict(expected.event)):
        yield f"the event is not like {expected.event}"


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _holds(value: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(value, dict) and all(_holds(value.get(key), each) for key, each in part.items())
    return bool(value == part)
