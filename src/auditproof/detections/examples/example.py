"""The least request that triggers a rule, and one like it that must not, both made from the rule's condition. Pure.

The policy under test has no say in it. A rule that names an outcome (a code, a decision) gets a request with that
outcome: one by a user with rights to something that exists, one without rights, a failed login, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space.identities import ANONYMOUS
from auditproof.audit.stages import in_order
from auditproof.detections.condition import FALSE, TRUE, And, Not, Test, both, either, matches, tests_of
from auditproof.detections.examples.body import NotBuilt
from auditproof.detections.examples.candidates import candidates, own_account
from auditproof.detections.examples.draft import (
    AS_FIELD,
    AS_GROUPS_FIELD,
    NAME_FIELD,
    UPGRADED,
    Values,
    answers,
    draft_of,
    sends_body,
)
from auditproof.detections.examples.firing import unmet, words_of
from auditproof.detections.examples.forecast import Answer, Draft, Forecast
from auditproof.detections.examples.near_miss import near_miss
from auditproof.detections.moments import RECORDED, Moment, at_moment, stages_of
from auditproof.detections.solving import solutions
from auditproof.kube.request_line import request_line

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from auditproof.detections.condition import Condition
    from auditproof.detections.detection import Detection
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.discovery import Served

TRIED = 400  # requests for one rule
SOLUTIONS = 16  # of one request


@dataclass(frozen=True, slots=True)
class Example:
    """A request that triggers a step of a rule, and ``miss``, a request like it that does not, if there is one.

    ``values`` are those of the fields that the rule asks for besides what a policy sees; ``changed`` says in what the
    near miss differs.
    """

    step: int
    condition: Condition
    draft: Draft
    values: Values
    miss: Draft | None = None
    changed: str = ""


@dataclass(frozen=True, slots=True)
class NoExample:
    """A step of a rule that no request is known to trigger, and why."""

    step: int
    reason: str


def examples_of(detection: Detection, served: Served) -> tuple[Example | NoExample, ...]:
    """Examples for every step of a rule, or why there is none.

    A rule about streams gets one by WebSocket and one by SPDY, if it matches both.

    >>> from auditproof import load_served
    >>> from auditproof.detections import Detection, Field, Operator, Test, both
    >>> from auditproof.detections.examples.example import examples_of
    >>> from auditproof.errors import Position
    >>> deleted = both(
    ...     Test(Field.at("verb"), Operator.EQUALS, ("delete",)),
    ...     Test(Field.at("objectRef.resource"), Operator.EQUALS, ("secrets",)),
    ... )
    >>> rule = Detection("deletes", "A Secret is deleted", "own", (deleted,), Position("own.yaml", 1, 1))
    >>> examples_of(rule, load_served("1.37"))[0].draft.uri
    '/api/v1/namespaces/auditproof-detections/secrets/auditproof-example?dryRun=All'
    """
    return tuple(
        example
        for step, condition in enumerate(detection.steps, 1)
        for example in _Search(condition, served).examples(step)
    )


class _Search:
    """The search for examples of one condition."""

    def __init__(self, condition: Condition, served: Served) -> None:
        self._condition = condition
        self._candidates = candidates(condition, served)
        self._by_uri = any(test.field.top == "requestURI" for test in tests_of(condition))
        self._vain: set[Hashable] = set()
        self._reasons: dict[str, None] = {}

    def examples(self, step: int) -> Iterator[Example | NoExample]:
        """One example; of streams one for each verb; or the reason why there is none."""
        found: dict[tuple[str, str], Example] = {}
        for asked in islice(filter(self._is_worth_trying, self._candidates), TRIED):
            key = asked.verb, asked.subresource
            if found and (
                asked.subresource not in UPGRADED or key in found or not any(key[1] == one for _, one in found)
            ):
                continue
            example = self._example(step, asked)
            if example is None:
                continue
            found[key] = example
            yield example
            if asked.subresource not in UPGRADED:
                break
        if not found:
            yield NoExample(step, next(iter(self._reasons), "no event that an API server writes can match"))

    def _is_worth_trying(self, asked: Attributes) -> bool:
        """Whether no request that the condition does not tell from this one was tried in vain."""
        key = self._key(asked)
        return key is not None and key not in self._vain

    def _key(self, asked: Attributes) -> Hashable:
        """Equal for requests of which the condition leaves the same to the rest of the request; None for no match."""
        moments = (Moment(level, stage) for level in RECORDED for stage in in_order(stages_of(asked)))
        left = tuple(at_moment(self._condition, asked, moment) for moment in moments)
        if all(one == FALSE for one in left):
            return None
        return (
            left,
            answers(asked),
            sends_body(asked),
            asked.verb == "create",
            _kind_of_user(asked),
            asked if self._by_uri else None,
        )

    def _example(self, step: int, asked: Attributes) -> Example | None:
        """An example with these attributes, whatever the response, if there is one."""
        solved = False
        for answer in answers(asked):
            for values in self._values(asked, answer):
                solved = True
                for dry, renamed in ((True, True), (True, False), (False, True)):
                    try:
                        draft = draft_of(asked, answer, values, dry=dry, renamed=renamed)
                    except NotBuilt as no:
                        self._reasons.setdefault(str(no), None)
                        continue
                    if Forecast.of(draft).fires(self._condition):
                        example = Example(step, self._condition, draft, values)
                        return replace(example, **near_miss(self._condition, asked, answer, values))
                    self._reasons.setdefault(self._unmade(values), None)
        if not solved:
            self._reasons.setdefault(self._unmet(asked), None)
            self._vain.add(self._key(asked))
        return None

    def _unmet(self, asked: Attributes) -> str:
        """What this request cannot have, however it is made."""
        draft = Draft(asked, answers(asked)[0], request_line(asked)[1], {} if sends_body(asked) else None)
        event = list(Forecast.of(draft).events.values())[-1]
        lacking = [one for one in unmet(self._condition, event) if not _is_open(one[0], draft)]
        tests = "; ".join(dict.fromkeys(words_of(test, wanted=wanted) for test, wanted in lacking[:2]))
        return f"no request of auditproof has this: {tests or 'what the rule wants'}"

    def _unmade(self, values: Values) -> str:
        fields = ", ".join(str(one) for one, given in values.items() if given)
        wanted = f"the values that the rule wants of {fields}" if fields else "all that the rule wants"
        return f"no request that changes nothing is known to have {wanted}"

    def _values(self, asked: Attributes, answer: Answer) -> Iterator[Values]:
        """Values of the free fields with which an event at some stage matches."""
        draft = Draft(asked, answer, request_line(asked)[1], {} if sends_body(asked) else None)
        forecast = Forecast.of(draft)
        seen: set[Condition] = set()
        for moment in (Moment(level, stage) for level in reversed(RECORDED) for stage in reversed(forecast.events)):
            left = _settled(at_moment(self._condition, asked, moment), forecast.at(moment), draft)
            if left in seen:
                continue
            seen.add(left)
            yield from (dict(one.of) for one in islice(solutions(left, asked), SOLUTIONS))


def _kind_of_user(asked: Attributes) -> str:
    """What the server knows of a user besides name and groups: a token's Pod, for example."""
    name = asked.user.name if asked.user else ""
    return name if name == ANONYMOUS or own_account(asked.user) else "user" if name else ""


def _settled(condition: Condition, event: dict[str, Any], draft: Draft) -> Condition:
    """The condition with what the response decides replaced by true or false."""
    if isinstance(condition, Not):
        inner = _settled(condition.part, event, draft)
        return FALSE if inner == TRUE else TRUE if inner == FALSE else Not(inner)
    if isinstance(condition, Test):
        return condition if _is_open(condition, draft) else TRUE if matches(condition, event) else FALSE
    parts = [_settled(part, event, draft) for part in condition.parts]
    return both(*parts) if isinstance(condition, And) else either(*parts)


def _is_open(test: Test, draft: Draft) -> bool:
    """Whether the request can be made so that the test is true or false of it."""
    if test.field.top in ("requestURI", "userAgent"):
        return True
    if test.field.path == NAME_FIELD.path:
        return draft.attributes.verb == "create" and draft.decoded
    if test.field in (AS_FIELD, AS_GROUPS_FIELD):
        return draft.attributes.user is not None and draft.answer is Answer.ACCEPTED
    return test.field.top in ("requestObject", "responseObject") and draft.decoded
