"""Requests that a policy misses by accident: the other API of events, the other form of exec, failed logins.

Sources: kubectl's pkg/cmd/exec/exec.go (WebSocket, so GET, since Kubernetes 1.31; POST before and as a fallback);
staging/src/k8s.io/apiserver/pkg/endpoints/filters/authn_audit.go (a 401 has one event, at ResponseStarted).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from auditproof.analysis.lint.context import named
from auditproof.analysis.space import ResourceCell, Space
from auditproof.analysis.space.cells import UNSERVED
from auditproof.audit.decide import decide
from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import LONG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from auditproof.analysis.lint.context import Asked, Subject
    from auditproof.analysis.lint.finding import Finding
    from auditproof.analysis.space.resource_targets import ResourceTarget
    from auditproof.audit.policy.load import PolicyRule
    from auditproof.errors import Position
    from auditproof.kube.attributes import Attributes, UserInfo

_EVENTS = ("", "events.k8s.io")
_STREAMS = ("exec", "attach", "portforward")


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about missed requests."""
    yield from _events(subject)
    yield from _streams(subject)
    yield from _failed_logins(subject)


def _events(subject: Subject) -> Iterator[Finding]:
    for group, other in (_EVENTS, _EVENTS[::-1]):
        naming = {rule.index: where for rule in subject.policy.rules if (where := _named_events(subject, rule, group))}
        told: set[int] = set()
        for index, attributes in _twins(subject, group, other) if naming else ():
            if index in naming and index not in told:
                told.add(index)
                decision = decide(subject.policy, attributes)
                rule = decision.rule
                said = "no rule matches" if rule is None else f"{named((rule,))} decides"
                message = f"the same events are also served in {_group(other)}, where {said}"
                advice = f"Add the events of {_group(other)} to this rule."
                yield subject.finding("AP401", naming[index], message, advice, (attributes, True))


def _group(group: str) -> str:
    return f"the group {group}" if group else "the core group"


def _named_events(subject: Subject, rule: PolicyRule, group: str) -> Position | None:
    """The position at which the rule names the events of ``group``, or None."""
    for number, entry in enumerate(rule.resources):
        for at, pattern in enumerate(entry.resources if entry.group == group else ()):
            if pattern in ("events", "events/*"):
                return subject.places.of("rules", rule.index, "resources", number, "resources", at)
    return None


def _twins(subject: Subject, group: str, other: str) -> Iterator[tuple[int, Attributes]]:
    """Requests for events of ``other`` that are decided differently in ``group``, with the rule that decides there."""
    own = _requests(subject.space, lambda target: (target.group, target.resource) == (group, "events"))
    twins = _requests(subject.space, lambda target: (target.group, target.resource) == (other, "events"))
    pairs = {(own[what].mask, twin.mask): twin for what, twin in twins.items() if what in own}
    for (first, second), twin, user in _decided(subject, pairs):
        if first is not None and user and _effect(subject, first) != _effect(subject, second):
            yield first, twin.attributes(user)


def _effect(subject: Subject, rule: int | None) -> tuple[Level, frozenset[Stage]]:
    """The level and the omitted stages; no stages at level None."""
    level = _level(subject, rule)
    if rule is None or level is Level.NONE:
        return level, frozenset()
    return level, subject.policy.rules[rule].omit_stages | subject.policy.omit_stages


def _streams(subject: Subject) -> Iterator[Finding]:
    """Rules that match one form of exec, attach or port-forward and leave the other to a rule with a lower level."""
    told: set[int | None] = set()
    both = _requests(subject.space, _is_stream)
    pairs = {}
    for (namespaces, name, verb, subresource), get in both.items():
        create = both.get((namespaces, name, "create", subresource))
        if verb == "get" and create:
            pairs[get.mask, create.mask] = get
    for (first, second), get, user in _decided(subject, pairs):
        found = _blamed(subject, first, second, get.target.subresource) if user else None
        if found and found[0] not in told:
            told.add(found[0])
            yield _half(subject, found[0], replace(get.attributes(user), verb=found[1]))


@dataclass(frozen=True, slots=True)
class _Request:
    """A request without its user, with the mask of its cell."""

    mask: int
    cell: ResourceCell
    target: ResourceTarget
    verb: str

    def attributes(self, user: UserInfo | None) -> Attributes:
        return self.cell.attributes_of(user, self.target, self.verb, self.cell.namespaces[0])


def _requests(
    space: Space, wanted: Callable[[ResourceTarget], bool]
) -> dict[tuple[tuple[str, ...], str, str, str], _Request]:
    """Every served request for the wanted targets, by namespaces, name, verb and subresource."""
    return {
        (cell.namespaces, cell.name, verb, target.subresource): _Request(mask, cell, target, verb)
        for mask, cells in space.cells.items()
        for cell in cells
        if isinstance(cell, ResourceCell) and cell.served
        for target in filter(wanted, cell.targets)
        for verb in cell.verbs
    }


def _decided(
    subject: Subject, pairs: Mapping[tuple[int, int], _Request]
) -> Iterator[tuple[tuple[int | None, ...], _Request, UserInfo | None]]:
    """The rules that decide each pair, for genuine identities that they treat differently; no user: a failed login."""
    space = subject.space
    for masks, request in pairs.items():
        known = set()
        for identity in filter(attrgetter("honest"), space.identities.classes):
            alike = tuple(mask & identity.mask for mask in masks), identity.region, identity.failed
            if alike not in known:
                known.add(alike)
                for rules, region in space.together(identity, *masks):
                    yield rules, request, space.identities.user(identity, region)


def _is_stream(target: ResourceTarget) -> bool:
    return not target.group and target.resource == "pods" and target.subresource in _STREAMS


def _blamed(subject: Subject, get: int | None, create: int | None, subresource: str) -> tuple[int | None, str] | None:
    """The rule to report and the verb with the lower level, if the rules ``get`` and ``create`` differ in level.

    A rule that names the subresource is reported first, then the one that does not record. If no rule names it, two
    levels above None are not a mistake.
    """
    levels = {verb: _level(subject, rule) for verb, rule in (("get", get), ("create", create))}
    if levels["get"] == levels["create"]:
        return None
    verb = "get" if levels["get"] < levels["create"] else "create"
    less, more = (get, create) if verb == "get" else (create, get)
    rules = subject.policy.rules
    naming = [rule for rule in (more, less) if rule is not None and _names_stream(rules[rule], subresource)]
    if levels[verb] is not Level.NONE and len(naming) != 1:
        return None
    return (naming[0] if naming else less), verb


def _level(subject: Subject, rule: int | None) -> Level:
    return Level.NONE if rule is None else subject.policy.rules[rule].level


def _names_stream(rule: PolicyRule, subresource: str) -> bool:
    known = (f"pods/{subresource}", f"*/{subresource}", "pods/*")
    return any(pattern in known for entry in rule.resources for pattern in entry.resources)


def _half(subject: Subject, blamed: int | None, attributes: Attributes) -> Finding:
    where = subject.places.key("rules") if blamed is None else subject.places.key("rules", blamed, "verbs")
    form = "over WebSocket, as kubectl does since 1.31 (GET, so the verb get)"
    form = form if attributes.verb == "get" else "over SPDY, as older clients do (POST, so the verb create)"
    other = replace(attributes, verb="create" if attributes.verb == "get" else "get")
    less, more = decide(subject.policy, attributes), decide(subject.policy, other)
    recorded = "not recorded" if less.level is Level.NONE else f"recorded at {less.level} only"
    message = f"{attributes.subresource} {form}, is {recorded}; the other form is recorded at {more.level}"
    advice = "Add a separate rule without verbs for pods/exec, pods/attach and pods/portforward above this one."
    return subject.finding("AP402", where, message, advice, (attributes, True))


def _failed_logins(subject: Subject) -> Iterator[Finding]:
    """Failed authentications: lost with an omitted stage, or matched by no rule that records."""
    failed = [(index, asked) for index in subject.outcomes if (asked := _failed(subject, index))]
    meant = [(subject.policy.rules[n], a) for n, a in failed if n is not None]
    meant = [(rule, asked) for rule, asked in meant if rule.level is not Level.NONE]
    lost = [(rule, asked) for rule, asked in meant if not (rule.omit_stages | subject.policy.omit_stages) >= LONG]
    told = set()
    for rule, asked in sorted(lost, key=lambda found: found[0].index):
        where = _omitting(subject, rule)
        # One omitStages may lose the failed logins of several rules: it is one finding.
        if where and where not in told:
            told.add(where)
            message = "failed logins (401) are recorded only at ResponseStarted: omitting it loses them"
            advice = (
                "Remove ResponseStarted from omitStages; apart from failed logins, only watches and streams have it."
            )
            yield subject.finding("AP403", subject.places.of(*where), message, advice, asked)
    if (
        failed
        and not meant
        and any(rule.level is not Level.NONE and rule.index in subject.outcomes for rule in subject.policy.rules)
    ):
        message = "no failed login (401) is recorded: rules with users or userGroups never match it"
        advice = "End the policy with a rule without users and userGroups: `- level: Metadata`."
        yield subject.finding("AP404", subject.places.key("rules"), message, advice, failed[0][1])


def _failed(subject: Subject, index: int | None) -> Asked | None:
    """A request with a rejected credential that the rule decides; served ones first."""
    outcomes = [outcome for outcome in subject.outcomes[index] if outcome.identity.failed]
    if not outcomes:
        return None
    cell = min(outcomes, key=lambda outcome: outcome.oddness).cells[0]
    return cell.attributes(None), cell.standing != UNSERVED


def _omitting(subject: Subject, rule: PolicyRule) -> tuple[str | int, ...] | None:
    """The path at which ResponseStarted is omitted for the rule, or None."""
    for path, stages in (
        (("omitStages",), subject.policy.omit_stages),
        (("rules", rule.index, "omitStages"), rule.omit_stages),
    ):
        if Stage.RESPONSE_STARTED in stages:
            written = subject.places.texts(*path) or ()
            return (*path, written.index(Stage.RESPONSE_STARTED)) if Stage.RESPONSE_STARTED in written else path
    return None
