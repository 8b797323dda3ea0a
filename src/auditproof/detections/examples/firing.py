"""Whether a rule fires on the events that were really recorded, and what is missing if it does not. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level, Stage
from auditproof.detections.condition import And, Not, Test, matches, tests_of
from auditproof.detections.examples.forecast import surely_matches
from auditproof.detections.moments import Moment, Readability, reading_of, seen_by_policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditproof.detections.condition import Condition
    from auditproof.detections.examples.through import Through
    from auditproof.kube.attributes import Attributes

_SHOWN = 4  # values of a test
_BODIES = ("requestObject", "responseObject")


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule that reads the events of one request, and whether it has to fire; an expectation's ``watcher``.

    ``rule`` is the id of the rule, ``step`` the number of the condition in it. ``fires`` is what follows from the
    policy; None if nothing does. ``code`` is the planned response: after another one, what the rule does is no
    contradiction, but a doubt. ``body`` is the object that was sent. ``miss``: the request is a near miss, on which the
    rule fires under no policy. ``through``: the request is one that a controller sends because of the action.

    >>> from auditproof import Attributes, UserInfo
    >>> from auditproof.detections import Field, Operator, Test
    >>> from auditproof.detections.examples.firing import Firing
    >>> host_pid = Test(Field.at("requestObject.spec.hostPID"), Operator.EQUALS, ("true",))
    >>> asked = Attributes(UserInfo("alice"), "create", "shop", "", "v1", "pods")
    >>> event = {"level": "Metadata", "stage": "ResponseComplete", "verb": "create"}
    >>> print(Firing("host-pid", "Host PID", 1, host_pid, asked, True).silence([event]))
    requestObject.spec.hostPID = true: the event (Metadata, ResponseComplete) has no requestObject
    """

    rule: str
    title: str
    step: int
    condition: Condition
    attributes: Attributes
    fires: bool | None
    code: int | None = None
    miss: bool = False
    body: Mapping[str, Any] | None = None
    through: Through | None = None

    def fired(self, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The first event on which the rule fires; None if there is none."""
        return next((one for one in events if surely_matches(self.condition, self.attributes, dict(one))), None)

    def silence(self, events: Sequence[Mapping[str, Any]]) -> str:
        """Why the rule fires on none of the events: the test that fails, of the event that comes closest."""
        if not events:
            return "no event was recorded"
        if dropped := self._dropped(events):
            return f"{words_of(dropped[0])}: it was sent, but the API server does not keep it"
        found = [(unmet(self.condition, one), one) for one in events]
        lacking, event = min(reversed(found), key=lambda one: len(one[0]))
        place = f"the event ({event['level']}, {event['stage']})"
        if not lacking:
            fields = ", ".join(dict.fromkeys(str(test.field) for test in self._unreadable(event)))
            return f"{place} lacks {fields}: the rule matches it only for that, and so every such request"
        return "; ".join(dict.fromkeys(_unmet_text(test, event, place, wanted=wanted) for test, wanted in lacking[:2]))

    def _unreadable(self, event: Mapping[str, Any]) -> Iterator[Test]:
        moment = Moment(Level(event["level"]), Stage(event["stage"]))
        known = seen_by_policy(self.attributes) | {"level": event["level"], "stage": event["stage"]}
        for test in tests_of(self.condition):
            if reading_of(test, self.attributes, moment, known) is Readability.UNREADABLE:
                yield test

    def _dropped(self, events: Sequence[Mapping[str, Any]]) -> list[Test]:
        """The tests that the sent object meets and the recorded one does not: the API server keeps no such field."""
        recorded = [one for one in events if isinstance(one.get("requestObject"), dict)]
        if self.body is None or not recorded:
            return []
        sent = {"requestObject": self.body}
        lacking = min((unmet(self.condition, one) for one in recorded), key=len)
        return [test for test, wanted in lacking if wanted and test.field.top == _BODIES[0] and matches(test, sent)]

    def _is_meant(self, events: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the server responded as planned: otherwise the events are those of another kind of request."""
        codes = {one["responseStatus"].get("code") for one in events if isinstance(one.get("responseStatus"), dict)}
        return self.code is None or codes <= {self.code}

    def unlike(self, events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """That the rule fires although it must not."""
        event = self.fired(events) if self.fires is False and self._is_meant(events) else None
        if event is not None:
            why = "this request is a near miss" if self.miss else "by the policy it cannot see this request"
            yield f"the rule {self.title!r} fires on {event['level']}, {event['stage']}, but {why}"

    def doubts(self, events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """That the rule does not what it has to, but the response is not the planned one, or cannot be known before."""
        if not events:
            return
        fired = self.fired(events) is not None
        if self.fires is None and not fired:
            yield f"the rule {self.title!r} is silent, maybe for the response, which it reads: {self.silence(events)}"
        elif self.fires is not None and fired is not self.fires and not self._is_meant(events):
            does = "fires" if fired else f"is silent: {self.silence(events)}"
            yield f"the response does not have the planned code {self.code}, and the rule {self.title!r} {does}"

    def missing(self, events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """That the rule is silent although it has to fire."""
        if self.fires and self._is_meant(events) and self.fired(events) is None and not self._dropped(events):
            yield f"the rule {self.title!r} is silent, but the policy feeds it: {self.silence(events)}"


def unmet(condition: Condition, event: Mapping[str, Any], *, wanted: bool = True) -> list[tuple[Test, bool]]:
    """The tests that keep a condition from being ``wanted``, true or false: as few as possible."""
    if isinstance(condition, Test):
        return [] if matches(condition, event) is wanted else [(condition, wanted)]
    if isinstance(condition, Not):
        return unmet(condition.part, event, wanted=not wanted)
    parts = [unmet(part, event, wanted=wanted) for part in condition.parts]
    if isinstance(condition, And) is wanted:
        return [one for some in parts for one in some]
    return min(parts, key=len, default=[])


def _unmet_text(test: Test, event: Mapping[str, Any], place: str, *, wanted: bool) -> str:
    """A test with what the event has instead; contents of bodies are not shown."""
    asked = words_of(test, wanted=wanted)
    path: list[str] = []
    inside: Any = event
    for key in test.field.path:
        path.append(key)
        if not isinstance(inside, dict):
            break
        if key not in inside and key not in ("*", "**"):
            return f"{asked}: {place} has no {'.'.join(path)}"
        inside = inside.get(key)
    values = test.field.values(event)
    if not values or test.field.top in _BODIES:
        return f"{asked}: {place} has {'another value' if values else 'none'}"
    return f"{asked}: {place} has {', '.join(map(str, values[:3]))}"


def words_of(test: Test, *, wanted: bool = True) -> str:
    """A test, or its negation, with its first values."""
    if len(test.values) > _SHOWN:
        test = replace(test, values=(*test.values[:_SHOWN], f"{len(test.values) - _SHOWN} more"))
    return str(test) if wanted else f"not ({test})"
