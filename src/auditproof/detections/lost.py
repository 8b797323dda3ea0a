"""The requests that a rule does not see, in lines: who sends what, and how the policy records it. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space.identities import account_groups, service_account
from auditproof.analysis.space.who import listed, who_text
from auditproof.audit.event import Level
from auditproof.detections.demand import WORST, Feed, values_of
from auditproof.detections.members import names_of
from auditproof.detections.moments import stages_of
from auditproof.kube.controllers import CONTROLLERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auditproof.analysis.space import ClassDecision, IdentityClass
    from auditproof.analysis.space.identities import Identities
    from auditproof.analysis.space.who import Who
    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.detections.condition import Condition
    from auditproof.detections.demand import Demand
    from auditproof.detections.members import Member
    from auditproof.detections.mentioned import Mentioned
    from auditproof.detections.moments import Moment
    from auditproof.detections.solving import Values
    from auditproof.kube.attributes import Attributes, UserInfo

SHOWN = 6  # resources of a line


@dataclass(frozen=True, slots=True)
class Lost:
    """Requests that a rule does not see, and how they are recorded: the ``level`` and ``stages`` that ``rule`` gives.

    ``rule`` is None if no rule matches. ``needs`` are the moments of which one has to be recorded, ``witness`` is one
    of the requests with ``values`` of its other fields. ``new``: with the policy before the change, the rule sees them.
    ``partly``: it sees them, but not all that would match. ``through`` are the resources for whose objects controllers
    send some of these requests.
    """

    who: str
    what: str
    witness: Attributes
    values: Values
    rule: PolicyRule | None
    level: Level
    stages: frozenset[Stage]
    needs: frozenset[Moment]
    new: bool
    partly: bool
    through: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Who and what, in a line."""
        return f"{self.what} by {self.who}"


@dataclass(frozen=True, slots=True)
class Seen:
    """How the rule sees one part of a class, with the policy and with the base.

    ``level`` and ``stages`` are those that the policy records, before stages that the request does not have are left
    out.
    """

    outcome: ClassDecision
    member: Member
    user: UserInfo | None
    demand: Demand
    sees: tuple[Feed, ...]
    level: Level
    stages: frozenset[Stage]

    @property
    def asked(self) -> Attributes:
        """The request without its user."""
        return self.member.attributes

    @property
    def attributes(self) -> Attributes:
        """The request, with its user."""
        return replace(self.member.attributes, user=self.user)


@dataclass(frozen=True, slots=True)
class _Alike:
    """What parts of classes have in common that stand in one line."""

    rule: int | None
    level: Level
    stages: frozenset[Stage]
    new: bool
    sees: Feed


def lost_lines(
    seen: Iterable[Seen], condition: Condition, policy: Policy, identities: Identities, mentioned: Mentioned
) -> Iterator[Lost]:
    """The requests that the rule does not see, in lines, those that it saw before the change first."""
    groups: dict[_Alike, list[Seen]] = defaultdict(list)
    for one in seen:
        if one.sees[0] is not Feed.FED:
            new = len(one.sees) > 1 and WORST.index(one.sees[1]) < WORST.index(one.sees[0])
            groups[_Alike(one.outcome.deciding[0], one.level, one.stages, new, one.sees[0])].append(one)
    for alike, some in sorted(groups.items(), key=_new_first):
        for whos, parts in _by_who(some):
            first = min(parts, key=plain_first)
            recorded = alike.level is not Level.NONE
            yield Lost(
                who_text(identities, whos),
                _what(parts, mentioned),
                first.attributes,
                values_of(condition, first.demand, first.attributes),
                policy.rule_at(alike.rule),
                alike.level,
                alike.stages & stages_of(first.attributes) if recorded else frozenset(),
                frozenset(first.demand.at),
                alike.new,
                alike.sees is Feed.PARTLY,
                tuple(_through(whos, parts, mentioned)),
            )


def _through(whos: Sequence[Who], parts: Sequence[Seen], mentioned: Mentioned) -> Iterator[str]:
    """The resources for whose objects a controller sends some of the requests."""
    asked = {(target.resource, one.asked.verb) for one in parts for target in one.member.targets}
    for owner, controllers in CONTROLLERS.items():
        for acting in controllers:
            sent = any((resource, verb) in asked for resource in acting.resources for verb in acting.verbs)
            if sent and any(_includes(identity, acting.user, mentioned) for identity, _ in whos):
                yield owner
                break


def _includes(identity: IdentityClass, account: str, mentioned: Mentioned) -> bool:
    """Whether a service account is in a class of users: by name, or among those that no rule names."""
    if account in mentioned.users:
        return account in identity.names
    named = next((name for name in identity.names if service_account(name)), None)
    if named is None or named in mentioned.users:
        return False
    home, known = account_groups(account)[1], mentioned.user_groups
    return account_groups(named)[1] == home if home in known else account_groups(named)[1] not in known


def _what(parts: Sequence[Seen], mentioned: Mentioned) -> str:
    """Verbs, objects and namespaces of the requests, in a line."""
    paths = dict.fromkeys(one.asked.path for one in parts if not one.asked.resource_request)
    resources = [one for one in parts if one.asked.resource_request]
    verbs = listed(list(dict.fromkeys(one.asked.verb or "OPTIONS" for one in parts)), SHOWN)
    objects = names_of(target for one in resources for target in one.member.targets)
    names = dict.fromkeys(one.asked.name for one in resources if one.asked.name in mentioned.names)
    only = names and len(names) == len({one.asked.name for one in resources})
    named = f" {listed(list(names), SHOWN)}" if only else ""
    return f"{verbs} {listed([*objects, *paths], SHOWN)}{named}{_where(resources, mentioned)}"


def _where(parts: Sequence[Seen], mentioned: Mentioned) -> str:
    """The namespaces of requests, unless it is any."""
    given = dict.fromkeys(name for one in parts for name in one.member.namespaces)
    inside = [name for name in given if name]
    if not inside or "" in given:
        return ""
    if mentioned.other_namespace not in inside:
        return f" in {listed(inside, SHOWN)}"
    left = sorted(mentioned.namespaces - {*inside, ""})
    return f" outside {listed(left, SHOWN)}" if left else ""


def _by_who(some: list[Seen]) -> Iterator[tuple[list[Who], list[Seen]]]:
    """The parts by the users who send them; users who send the same are together."""
    parts: dict[Who, list[Seen]] = defaultdict(list)
    for one in some:
        parts[one.outcome.identity, one.outcome.region].append(one)
    alike: dict[frozenset[Attributes], list[Who]] = defaultdict(list)
    for who, seen in parts.items():
        alike[frozenset(one.member.attributes for one in seen)].append(who)
    for whos in alike.values():
        yield whos, parts[whos[0]]


def plain_first(one: Seen) -> tuple[object, ...]:
    """Sort key: the requests that explain themselves first."""
    asked = one.asked
    known = all(target.known for target in one.member.targets[:1])
    return one.user is None, one.outcome.oddness, not asked.resource_request, bool(asked.subresource), not known


def _new_first(item: tuple[_Alike, list[Seen]]) -> tuple[Any, ...]:
    alike, some = item
    ordinary = min(one.outcome.oddness for one in some)
    place = -1 if alike.rule is None else alike.rule
    return not alike.new, alike.sees is Feed.PARTLY, ordinary, -len(some), place
