"""Cases that show whether detection rules fire: an example of each rule, and a near miss.

What a rule has to do follows from the policy: the example's events, as far as the policy records them, either let it
fire or not. That agrees with what ``check_detections`` says of every request, or the run fails.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditproof.analysis.space.client_request import NotPerformable
from auditproof.audit.decide import decide
from auditproof.audit.event import Level
from auditproof.detections.demand import Feed
from auditproof.detections.examples.case import example_case
from auditproof.detections.examples.example import Example, examples_of
from auditproof.detections.examples.firing import Firing
from auditproof.detections.examples.forecast import Forecast
from auditproof.detections.examples.through import indirect_example
from auditproof.detections.moments import Moment, stages_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import Case
    from auditproof.detections.check import Fed
    from auditproof.detections.condition import Condition
    from auditproof.detections.detection import Detection
    from auditproof.detections.examples.forecast import Draft
    from auditproof.kube.discovery import Served

_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule with the cases that perform its examples and near misses, and why others cannot be performed."""

    detection: Detection
    fed: Fed
    cases: tuple[Case, ...]
    not_fired: tuple[str, ...]

    @property
    def suite(self) -> str:
        """The prefix of the ids of its items: the file of the rule."""
        return self.detection.position.path


def tried(policy: Policy, found: Sequence[Fed], served: Served, *, controllers: bool = False) -> tuple[Tried, ...]:
    """The examples of rules, as cases; ``found`` is what the policy does to each rule.

    ``controllers``: they run, so that an example is also sent by a controller where one does such things.
    """
    counted: Counter[tuple[str, str]] = Counter()
    made = []
    for fed in found:
        detection = fed.detection
        plain = _PLAIN.sub("-", detection.id or detection.title).strip("-") or "rule"
        counted[detection.position.path, plain] += 1
        number = counted[detection.position.path, plain]
        cases: list[Case] = []
        reasons: list[str] = []
        steps: Counter[int] = Counter()
        for one in examples_of(detection, served):
            if not isinstance(one, Example):
                reasons.append(one.reason)
                continue
            steps[one.step] += 1
            parts = [plain, *_numbered(number), *([f"step{one.step}"] if one.step > 1 else [])]
            method = _client(one) if steps[one.step] > 1 else ()
            try:
                cases += _cases(policy, fed, one, "-".join((*parts, *method)), controllers=controllers)
            except NotPerformable as no:
                reasons.append(str(no))
        made.append(Tried(detection, fed, tuple(cases), tuple(reasons)))
    return tuple(made)


def _numbered(number: int) -> list[str]:
    return [str(number)] if number > 1 else []


def _client(example: Example) -> tuple[str]:
    """What tells apart the examples of a rule about streams."""
    return ("websocket" if example.draft.attributes.verb == "get" else "spdy",)


def _cases(policy: Policy, fed: Fed, example: Example, name: str, *, controllers: bool) -> Iterator[Case]:
    detection, condition = fed.detection, example.condition

    def case(suffix: str, sent: Draft, watcher: Firing, remark: str, *, status: int | None) -> Case:
        title = f"{detection.title}{remark}"
        return example_case(f"{name}{suffix}", sent, watcher, title=title, position=detection.position, status=status)

    def firing(draft: Draft, *, fires: bool | None) -> Firing:
        asked = draft.attributes
        return Firing(
            detection.id, detection.title, example.step, condition, asked, fires, code=draft.code, body=draft.body
        )

    draft, miss, depends = example.draft, example.miss, needs_code(condition, example.draft)
    own = firing(draft, fires=expected(policy, fed, condition, draft))
    yield case("", draft, own, "", status=draft.code if depends else None)
    if miss is not None:
        missed = replace(firing(miss, fires=False), miss=True)
        remark = f": near miss: {example.changed}"
        yield case("-miss", miss, missed, remark, status=miss.code if depends else None)
    indirect = indirect_example(example, name) if controllers else None
    if indirect is not None:
        through = indirect.through
        fires = expected(policy, fed, condition, indirect.draft)
        followed = replace(firing(indirect.draft, fires=fires), through=through)
        by = through.controller
        yield case(f"-{by}", indirect.owner, followed, f": by the {by}", status=indirect.owner.code)


def expected(policy: Policy, fed: Fed, condition: Condition, draft: Draft) -> bool | None:
    """Whether the rule fires on a draft if the server follows the policy; None if its response has a say in it."""
    forecast = Forecast.of(draft)
    decision = decide(policy, draft.attributes)
    stages = stages_of(draft.attributes) - decision.omit_stages if decision.level is not Level.NONE else frozenset()
    moments = [Moment(decision.level, stage) for stage in stages]
    fires = forecast.fires(condition, moments)
    if fires and not forecast.fires(condition, moments, without="responseObject"):
        return None
    if len(fed.detection.steps) == 1 and fed.feed in (Feed.FED, Feed.BLIND):
        return fed.feed is Feed.FED
    return fires


def needs_code(condition: Condition, draft: Draft) -> bool:
    """Whether the rule does not fire on the same request if its response has another code."""
    for code, status in ((422, "Failure"), (200, "Success"), (403, "Failure")):
        forecast = Forecast.of(draft)
        for event in forecast.events.values():
            if "responseStatus" in event:
                event["responseStatus"] = {"metadata": {}, "status": status, "reason": "Unknown", "code": code}
        if not forecast.fires(condition):
            return True
    return False
