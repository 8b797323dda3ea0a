"""The requirements that detection rules have of a policy, so that a rule pack can be used as a requirements file.

A requirement selects requests by conditions that a policy could have, and has one bound for all of them. So it may ask
for more than a rule needs: for every user where the rule is about names with a prefix, for the last of several stages
that would do. A policy that meets it feeds the rule, failed logins aside; one that does not may feed it all the same,
which ``check_detections`` says exactly.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.analysis.requirements import Bound, Clause, Requirement, RequirementsFile, load_requirements
from auditproof.analysis.requirements.requirement import StageBound
from auditproof.analysis.space.identities import ACCOUNTS, ANONYMOUS, service_account
from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.load import NOWHERE, GroupResources, load_policy, selector
from auditproof.detections.condition import Operator, tests_of
from auditproof.detections.demand import Solver
from auditproof.detections.members import Members
from auditproof.detections.mentioned import without_policy
from auditproof.detections.readers import load_rules
from auditproof.errors import AuditproofError, SourceError
from auditproof.kube.discovery import load_served
from auditproof.text.paths import is_folder, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from auditproof.analysis.space.resource_targets import ResourceTarget
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.detections.condition import Condition
    from auditproof.detections.demand import Demand
    from auditproof.detections.detection import Detection, Rules
    from auditproof.detections.members import Member
    from auditproof.kube.attributes import UserInfo
    from auditproof.kube.discovery import Served

FEW = 8  # paths; a rule about more of them is about any path
_LAST_FIRST = (Stage.RESPONSE_COMPLETE, Stage.RESPONSE_STARTED, Stage.REQUEST_RECEIVED)
_Key = tuple[str, tuple[str, ...], str]  # path, namespaces (none: any) and name (empty: any)
_Users = tuple[tuple[str, ...], tuple[str, ...]]  # names and groups; both empty: any


def requirements_of(rules: Rules, name: str, served: Served) -> RequirementsFile:
    """The requirements of rules, as a file called ``name``; a rule that no event can match has none.

    >>> from auditproof import load_served
    >>> from auditproof.detections import Detection, Field, Operator, Rules, Test
    >>> from auditproof.detections.as_requirements import requirements_of
    >>> from auditproof.errors import Position
    >>> secrets = Test(Field.at("objectRef.resource"), Operator.EQUALS, ("secrets",))
    >>> rule = Detection("secrets", "A secret is used", "own", (secrets,), Position("own.yaml", 1, 1))
    >>> found = requirements_of(Rules((rule,), ()), "own.yaml", load_served("1.37"))
    >>> [(one.id, str(one.bound)) for one in found.requirements]
    [('secrets', 'at least Metadata, stages: at least ResponseComplete')]
    """
    every = tuple(one for rule in rules.detections for one in _of_rule(rule, served))
    return RequirementsFile(Path(name), name, "Every request that a detection rule is about feeds it", every)


def load_required(name: str, kubernetes: str, read_policy: Callable[[str], Policy] = load_policy) -> RequirementsFile:
    """The requirements that ``name`` stands for: a shipped or own requirements file, or detection rules.

    ``kubernetes`` is a version; ``read_policy`` reads a policy that a requirement refers to. Raises SourceError for
    mistakes in the file, and AuditproofError if there is no such file, or a rule in it cannot be read in full.
    """
    try:
        if not is_folder(path_of(name)):
            return load_requirements(name, read_policy=read_policy)
    except SourceError as no_requirements:
        try:
            rules = load_rules([name])
        except AuditproofError:
            raise no_requirements from None
    else:
        rules = load_rules([name])
    rules.check_read()
    return requirements_of(rules, name, load_served(kubernetes))


def _of_rule(rule: Detection, served: Served) -> Iterator[Requirement]:
    grouped: dict[tuple[frozenset[Level], Stage, bool], _Selection] = defaultdict(_Selection)
    for condition in rule.steps:
        exact = _exact(condition)
        for member, user, demand in _demands(condition, served):
            stage = next(stage for stage in _LAST_FIRST if any(moment.stage is stage for moment in demand.at))
            levels = frozenset(moment.level for moment in demand.at if moment.stage is stage)
            grouped[levels, stage, user is None].add(member, user, exact)
    everybody = [key for key in grouped if not key[2]]
    for number, key in enumerate(everybody or grouped, 1):  # failed logins only where the rule is about nothing else
        levels, stage, failed = key
        yield Requirement(
            rule.id if number == 1 else f"{rule.id}-{number}",
            f"{rule.title} is fed",
            (Clause(tuple(grouped[key].rules()), (), failed),),
            Bound(levels, StageBound(frozenset({stage}), frozenset(Stage))),
            f"the detection rule {rule.title} cannot match otherwise",
            f"{rule.pack}, {rule.position.path}:{rule.position.line}",
            rule.position,
        )


def _demands(condition: Condition, served: Served) -> Iterator[tuple[Member, UserInfo | None, Demand]]:
    """The requests that a condition is about, as finely as it tells them apart, with what it needs of each."""
    space, mentioned = without_policy(served)
    members, solver = Members(condition, space, mentioned), Solver(condition)
    users = [
        user
        for identity in space.identities.classes
        if identity.honest
        for user, _ in members.users(identity, identity.region)
    ]
    known: dict[tuple[object, UserInfo | None], Demand | None] = {}
    for cells in space.cells.values():
        for member in (one for cell in cells if cell.served for one in members.of_cell(cell)):
            for user in users:
                key = member.signature, user
                if key not in known:
                    known[key] = solver.demand(replace(member.attributes, user=user), member.signature)
                if (demand := known[key]) is not None:
                    yield member, user, demand


def _exact(condition: Condition) -> frozenset[str]:
    """The values that the condition compares whole, and with regard to case: a policy can name them."""
    tests = (test for test in tests_of(condition) if test.operator is Operator.EQUALS and not test.fold)
    return frozenset(value for test in tests for value in test.values)


@dataclass(slots=True)
class _Selection:
    """Requests with the same bound: by place, their verbs and targets, and who sends them."""

    found: dict[_Key, dict[_Users, dict[str, dict[ResourceTarget, None]]]] = field(default_factory=dict)

    def add(self, member: Member, user: UserInfo | None, exact: Collection[str]) -> None:
        """Add the requests of a member by a user; what is not in ``exact`` stands for any value."""
        asked = member.attributes
        given = tuple(name for name in member.namespaces if name)
        namespaces = given if given and all(name in exact for name in given) else () if given else member.namespaces
        key = asked.path, namespaces, asked.name if asked.name in exact and member.targets else ""
        by_verb = self.found.setdefault(key, {}).setdefault(_users(user, exact), {})
        by_verb.setdefault(asked.verb, {}).update(dict.fromkeys(member.targets))

    def rules(self) -> Iterator[PolicyRule]:
        """Rules of which the conditions select the requests, or more."""
        paths: dict[tuple[_Users, tuple[str, ...]], list[str]] = defaultdict(list)
        anywhere = {users for (_, namespaces, _), by_user in self.found.items() if not namespaces for users in by_user}
        for (path, namespaces, name), by_user in self.found.items():
            for users, by_verb in by_user.items():
                if users != _ANYBODY and _ANYBODY in by_user:
                    continue
                if path:
                    paths[users, tuple(by_verb)].append(path)
                else:
                    outside = namespaces == ("",) and users in anywhere
                    yield from _of_resources(by_verb, users, () if outside else namespaces, name)
        for (users, verbs), some in paths.items():
            urls = tuple(some) if len(some) <= FEW else ("*",)
            yield selector(users=users[0], user_groups=users[1], verbs=verbs, non_resource_urls=urls)


def _of_resources(
    by_verb: dict[str, dict[ResourceTarget, None]], users: _Users, namespaces: tuple[str, ...], name: str
) -> Iterator[PolicyRule]:
    by_targets: dict[tuple[ResourceTarget, ...], list[str]] = defaultdict(list)
    for verb, some in by_verb.items():
        every = all(target.known for target in some)
        by_targets[tuple(some) if every else ()].append(verb)
    for targets, verbs in by_targets.items():
        entries = tuple(_entries(targets, name))
        yield selector(
            users=users[0], user_groups=users[1], verbs=tuple(verbs), namespaces=namespaces, resources=entries
        )


_ANYBODY: _Users = ((), ())


def _users(user: UserInfo | None, exact: Collection[str]) -> _Users:
    """The users like this one, as a rule names them."""
    if user is None:
        return _ANYBODY
    if user.name in exact or user.name == ANONYMOUS:
        return (user.name,), ()
    if groups := tuple(group for group in user.groups if group in exact):
        return (), groups
    return ((), (ACCOUNTS,)) if service_account(user.name) else _ANYBODY


def _entries(targets: tuple[ResourceTarget, ...], name: str) -> Iterator[GroupResources]:
    """The entries of a rule's ``resources`` that match the targets; none stand for any, custom resources included."""
    names = (name,) if name else ()
    if not targets:
        yield GroupResources("*", ("*",), names, NOWHERE)
    groups: dict[str, list[str]] = defaultdict(list)
    for target in targets:
        groups[target.group].append(f"{target.resource}/{target.subresource}".removesuffix("/"))
    for group, resources in groups.items():
        yield GroupResources(group, tuple(resources), names, NOWHERE)
