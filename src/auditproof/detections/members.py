"""Which requests of a policy's classes a condition can tell apart. Pure.

A class of the policy's space holds many requests, all recorded alike. The condition of a rule divides them further: by
values that the policy never mentions (a namespace, a user), and by comparisons that a policy does not have (names that
start with ``system:``). Of each part one request is enough, so values are grouped by what the tests say of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space import ResourceCell
from auditproof.analysis.space.cells import SAME
from auditproof.analysis.space.identities import ACCOUNTS, ANONYMOUS, OTHER, UNAUTHENTICATED, service_account
from auditproof.detections.condition import And, Not, Operator, Test, matches, tests_of, wildcard_example
from auditproof.detections.moments import DECODED, DISCOVERY, seen_by_policy
from auditproof.kube.action import STREAMS, WRITES
from auditproof.kube.attributes import LONG_RUNNING_SUBRESOURCES, Attributes, UserInfo, is_long_running
from auditproof.kube.request_line import request_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.analysis.space import Cell, IdentityClass, Region, Space
    from auditproof.analysis.space.resource_targets import ResourceTarget
    from auditproof.detections.condition import Condition
    from auditproof.detections.mentioned import Mentioned

_KIND = frozenset({"resource", "apiGroup", "apiVersion", "subresource"})
_UNSEEN = (("uid",), ("resourceVersion",), ("extra",))  # parts of objectRef and user that the policy does not see
_GIVEN = (Operator.EQUALS, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.CONTAINS, Operator.WILDCARD)
Truth = tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A request without its user, for all of ``targets`` and ``namespaces`` that the tests do not tell apart.

    Members with the same ``signature`` need the same for the same user: the tests say the same of both, and their
    events have the same fields.
    """

    attributes: Attributes
    signature: tuple[Any, ...]
    targets: tuple[ResourceTarget, ...] = ()
    namespaces: tuple[str, ...] = ()


class Members:
    """The requests of a space, as finely as one condition tells them apart."""

    def __init__(self, condition: Condition, space: Space, mentioned: Mentioned) -> None:
        self._condition = condition
        self._space, self._mentioned = space, mentioned
        self._tests: dict[str, list[Test]] = defaultdict(list)
        for test in dict.fromkeys(tests_of(condition)):
            self._tests[_dimension(test)].append(test)
        self._targets: dict[tuple[ResourceTarget, ...], dict[tuple[Any, ...], tuple[ResourceTarget, ...]]] = {}
        self._verbs: dict[str, bool] = {}
        self._of_verbs: dict[str, tuple[Any, ...]] = {}
        self._by_uri = [test for test in self._tests[""] if test.field.top == "requestURI"]
        self._by_request = any(map(_reads_request, self._tests[""]))
        self._users: dict[tuple[int, Region], tuple[tuple[UserInfo | None, Truth], ...]] = {}

    def of_cell(self, cell: Cell) -> Iterator[Member]:
        """A request of each part of a cell that may meet the condition."""
        verbs = [verb for verb in cell.verbs if self._may_have_verb(verb)]
        if not verbs:
            return
        if not isinstance(cell, ResourceCell):
            if self._may(Attributes(None, "", path="/", resource_request=False), _KIND_DIMENSION):
                for path in cell.paths:
                    for verb in verbs:
                        asked = Attributes(None, verb, path=path, resource_request=False)
                        yield Member(asked, self._signature(asked, path.startswith(DISCOVERY)))
            return
        for kind, targets in self._parts(cell.targets).items():
            for namespaces in self._namespaces(cell):
                place = self._truth("namespace", Attributes(None, "", namespaces[0]))
                for name in self._names(cell):
                    for verb in verbs:
                        plain = cell.attributes_of(None, targets[0], verb, namespaces[0])
                        asked = plain if name is None else replace(plain, name=name)
                        signature = self._signature(asked, kind, place, self._truth("name", asked), bool(asked.name))
                        yield Member(asked, signature, targets, namespaces)

    def _signature(self, asked: Attributes, *known: object) -> tuple[Any, ...]:
        """What an event of the request depends on, apart from its user."""
        if self._by_request:
            return (asked,)
        verb = asked.verb
        if self._by_uri:
            uri = request_line(asked)[1]
            known = (*known, *(_in_uri(test, uri) for test in self._by_uri))
        if verb not in self._of_verbs:
            self._of_verbs[verb] = verb in WRITES, verb in DECODED, self._truth("verb", asked)
        return asked.resource_request, is_long_running(asked), self._of_verbs[verb], known

    def _may_have_verb(self, verb: str) -> bool:
        if verb not in self._verbs:
            self._verbs[verb] = self._may(Attributes(None, verb), "verb")
        return self._verbs[verb]

    def _may(self, attributes: Attributes, dimension: str) -> bool:
        """Whether the condition can be true of a request of which only one dimension is known."""
        event = seen_by_policy(attributes)
        known = {test: matches(test, event) for test in self._tests[dimension]}
        return _may_be(self._condition, known, wanted=True)

    def _parts(self, targets: tuple[ResourceTarget, ...]) -> dict[tuple[Any, ...], tuple[ResourceTarget, ...]]:
        """The targets that may meet the condition, by what the tests say of them."""
        if targets not in self._targets:
            parts: dict[tuple[Any, ...], list[ResourceTarget]] = defaultdict(list)
            for target in [*targets, *self._unmentioned(targets)]:
                given = Attributes(None, "", "", target.group, target.version, target.resource, target.subresource)
                if self._may(given, _KIND_DIMENSION):
                    long = target.subresource in LONG_RUNNING_SUBRESOURCES
                    key = (*self._truth(_KIND_DIMENSION, given), long, target.subresource in STREAMS)
                    parts[key].append(target)
            self._targets[targets] = {key: tuple(some) for key, some in parts.items()}
        return self._targets[targets]

    def _unmentioned(self, targets: tuple[ResourceTarget, ...]) -> Iterator[ResourceTarget]:
        """Custom resources that the condition names, if the targets include any custom resource."""
        custom = next((one for one in targets if not one.known and not one.subresource), None)
        if custom is None:
            return
        asked = self._literals(_KIND_DIMENSION, "resource")
        groups = [one for one in self._literals(_KIND_DIMENSION, "apiGroup") if one not in self._mentioned.groups]
        for resource in asked:
            if resource not in self._mentioned.resources:
                yield from (replace(custom, group=group, resource=resource) for group in groups or [custom.group])
        if not asked:
            yield from (replace(custom, group=group) for group in groups)

    def _namespaces(self, cell: ResourceCell) -> list[tuple[str, ...]]:
        """The namespaces of a cell, by what the tests say of them."""
        given = list(cell.namespaces)
        if self._mentioned.other_namespace in given:
            given += [one for one in self._literals("namespace") if one not in self._mentioned.namespaces]
        parts: dict[Truth, list[str]] = defaultdict(list)
        for namespace in given:
            parts[self._truth("namespace", Attributes(None, "", namespace))].append(namespace)
        return [tuple(some) for some in parts.values()]

    def _names(self, cell: ResourceCell) -> list[str | None]:
        """The names of a cell, one for each answer of the tests; None for the cell's own."""
        if cell.name in ("", SAME) or not self._tests["name"]:
            return [None]
        given = [cell.name]
        if cell.name not in self._mentioned.names:
            given += [one for one in self._literals("name") if one not in self._mentioned.names]
        parts = {self._truth("name", Attributes(None, "", name=name)): name for name in reversed(given)}
        return list(parts.values())

    def users(self, identity: IdentityClass, region: Region) -> tuple[tuple[UserInfo | None, Truth], ...]:
        """A user of the class with groups in the region for each answer of the tests, and that answer."""
        key = id(identity), region
        if key not in self._users:
            found: dict[Truth, UserInfo | None] = {}
            for user in self._candidates(identity, region):
                found.setdefault(self._truth("user", Attributes(user, "")), user)
            self._users[key] = tuple((user, truth) for truth, user in found.items())
        return self._users[key]

    def _candidates(self, identity: IdentityClass, region: Region) -> Iterator[UserInfo | None]:
        first = self._space.identities.user(identity, region)
        yield first
        if first is None or not self._tests["user"]:
            return
        names = [first.name, *identity.names]
        if identity.kind == OTHER or (service_account(first.name) and first.name not in self._mentioned.users):
            names += [one for one in self._literals("user", "username") if self._is_alike(one, first.name)]
        for name in dict.fromkeys(names):
            yield replace(first, name=name)
        if service_account(first.name) or first.name == ANONYMOUS:
            return
        avoided = self._space.identities.names_of(region.avoid)
        for group in self._literals("user", "groups"):
            if group not in avoided and not group.startswith(ACCOUNTS) and group != UNAUTHENTICATED:
                yield from (UserInfo(name, (*first.groups, group)) for name in dict.fromkeys(names))

    def _is_alike(self, user: str, other: str) -> bool:
        """Whether a user that the policy does not mention is in the same class as ``other``."""
        if user in self._mentioned.users or user == ANONYMOUS:
            return False
        mine, its = service_account(user), service_account(other)
        if its is None:
            return mine is None
        named = f"{ACCOUNTS}:{its[0]}" in self._mentioned.user_groups
        own = mine is not None and f"{ACCOUNTS}:{mine[0]}" in self._mentioned.user_groups
        return mine is not None and (mine[0] == its[0] or not (named or own))

    def _truth(self, dimension: str, attributes: Attributes) -> Truth:
        tests = self._tests.get(dimension)
        if not tests:
            return ()
        event = seen_by_policy(attributes)
        return tuple(matches(test, event) for test in tests)

    def _literals(self, dimension: str, key: str = "") -> list[str]:
        """Values that meet one of the tests, as far as these can be made up from what they ask for."""
        found: dict[str, None] = {}
        for test in self._tests[dimension]:
            if test.operator in _GIVEN and (not key or key in test.field.path):
                found.update(dict.fromkeys(_example(test.operator, value) for value in test.values))
        return list(found)


_KIND_DIMENSION = "kind"


def _dimension(test: Test) -> str:
    """The part of a request that a test is about: kind, verb, namespace, name, user, or none of them."""
    path = test.field.path
    if path[0] == "verb":
        return "verb"
    if path[0] == "user" and len(path) > 1 and path[1] in ("username", "groups"):
        return "user"
    if path[0] != "objectRef" or len(path) == 1:
        return ""
    return _KIND_DIMENSION if path[1] in _KIND else path[1] if path[1] in ("namespace", "name") else ""


def _reads_request(test: Test) -> bool:
    """Whether a test of no dimension depends on the request all the same, because it is of a whole object."""
    path = test.field.path
    return path[0] in ("objectRef", "user") and path[1:2] not in _UNSEEN


def _in_uri(test: Test, uri: str) -> object:
    """What is known of a test of the URI: its result, None if a query can give either, or the URI if it depends on it.

    Of a query parameter, a query can give either. Otherwise a query only appends to the URI.
    """
    if test.field.derived is not None:
        return None
    values = [value.casefold() for value in test.values] if test.fold else test.values
    given = uri.casefold() if test.fold else uri
    match test.operator:
        case Operator.EQUALS:
            return uri if any(value.startswith(given) for value in values) else False
        case Operator.STARTS_WITH:
            if any(map(given.startswith, values)):
                return True
            return uri if any(value.startswith(given) for value in values) else False
        case Operator.CONTAINS:
            return True if any(value in given for value in values) else None
        case Operator.EXISTS:
            return True
    return uri


def _may_be(condition: Condition, known: dict[Test, bool], *, wanted: bool) -> bool:
    """Whether a condition can be ``wanted``, true or false, with tests of which the result is not known."""
    if isinstance(condition, Test):
        return known.get(condition, wanted) is wanted
    if isinstance(condition, Not):
        return _may_be(condition.part, known, wanted=not wanted)
    together = all if isinstance(condition, And) is wanted else any
    return together(_may_be(part, known, wanted=wanted) for part in condition.parts)


def _example(operator: Operator, value: str) -> str:
    """A value that a test accepts, other than the plain ones."""
    match operator:
        case Operator.STARTS_WITH:
            return f"{value}auditproof"
        case Operator.ENDS_WITH:
            return f"auditproof{value}"
        case Operator.WILDCARD:
            return wildcard_example(value)
    return value


def names_of(targets: Iterable[ResourceTarget]) -> list[str]:
    """The resources as kubectl writes them."""
    return list(dict.fromkeys(target.text for target in targets))
