"""Who sends requests: classes of users by the rules that name them, with the sets of groups that each can have.

A rule only requires that one of its groups is among the user's, so group sets are never enumerated. A class of group
sets is a Region: none of the groups in ``avoid``, and at least one of each set in ``hits``. A Region is empty exactly
if a set in ``hits`` lies within ``avoid``.

Which groups a user can have follows from the API server's authentication
(staging/src/k8s.io/apiserver/pkg/authentication/group/authenticated_group_adder.go and
pkg/authentication/serviceaccount/util.go): a service account exactly its own three; anonymous only
system:unauthenticated; everybody else system:authenticated and any others. An issuer of certificates or tokens could
also issue names and groups of service accounts, of anonymous or of no user, or a user named ``*``. Such identities are
also in the space, marked as FORGED or ODD: they are not ``honest``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.space.bitmask import bits
from auditproof.analysis.space.oddity import is_label, is_odd_name, is_subdomain
from auditproof.analysis.space.placeholders import fresh
from auditproof.kube.attributes import UserInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.audit.policy.load import PolicyRule

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ACCOUNT = "system:serviceaccount:"
ACCOUNTS = "system:serviceaccounts"
NODES = "system:nodes"


@dataclass(frozen=True, slots=True)
class Region:
    """Group sets without any group of ``avoid`` and with at least one of each set in ``hits`` (bits of groups)."""

    avoid: int
    hits: tuple[int, ...]

    def possible(self) -> bool:
        """Whether the region contains any set."""
        return all(hit & ~self.avoid for hit in self.hits)

    def without(self, groups: int) -> Region:
        """The sets of the region that have none of ``groups``."""
        return Region(self.avoid | groups, self.hits)

    def having(self, groups: int) -> Region:
        """The sets of the region that have at least one of ``groups``."""
        return Region(self.avoid, (*self.hits, groups))

    def smallest(self) -> int:
        """A small set of the region; it must not be empty."""
        chosen = 0
        for hit in sorted(self.hits, key=int.bit_count):
            usable = hit & ~self.avoid
            if not usable & chosen:
                chosen |= usable & -usable
        return chosen


@dataclass(frozen=True, slots=True)
class IdentityClass:
    """Users that no rule distinguishes by name.

    ``names`` are those mentioned in rules, or one that represents all others; empty if authentication failed. ``mask``
    are the rules whose ``users`` condition they meet, ``region`` the group sets that they can have.
    """

    names: tuple[str, ...]
    kind: str
    mask: int
    region: Region
    honest: bool = True

    @property
    def standing(self) -> int:
        """How ordinary such users are: 0 honest, 1 with an odd name or group, 2 forged."""
        return 0 if self.honest else 1 if self.kind == ODD else 2

    @property
    def failed(self) -> bool:
        """Whether this is the failed authentication: no user at all."""
        return not self.names


@dataclass(frozen=True, slots=True)
class Identities:
    """All identity classes, and the groups by the number of their bit."""

    classes: tuple[IdentityClass, ...]
    groups: tuple[str, ...]
    wanted: tuple[int, ...]  # the groups that each rule requires, 0 for none

    def user(self, identity: IdentityClass, region: Region) -> UserInfo | None:
        """A concrete user of the class, with a small set of groups from ``region``."""
        if identity.failed:
            return None
        chosen = region.smallest()
        groups = self.names_of(chosen)
        ordered = sorted(groups, key=lambda name: name in (AUTHENTICATED, UNAUTHENTICATED))
        # A member of system:nodes is named like a node.
        if identity.kind != OTHER or NODES not in groups:
            name = identity.names[0]
        else:
            name = fresh("system:node:worker", {user for other in self.classes for user in other.names})
        return UserInfo(name, tuple(ordered))

    def in_bits(self, identities: int) -> Iterator[IdentityClass]:
        """The classes in a bitmask of their places."""
        for bit in bits(identities):
            yield self.classes[bit.bit_length() - 1]

    def names_of(self, groups: int) -> tuple[str, ...]:
        """The names of the groups in a bitmask."""
        return tuple(self.groups[bit.bit_length() - 1] for bit in bits(groups))


OTHER = "any other user"
NAMED = ""
FAILED = "a failed authentication"
ODD = "an unusual user or group name"
FORGED = "a credential with a name or group that only the server assigns"


def identities_of(rules: Sequence[PolicyRule]) -> Identities:
    """All identities that ``rules`` can distinguish."""
    return _Builder(rules).build()


class _Builder:
    def __init__(self, rules: Sequence[PolicyRule]) -> None:
        mentioned = {group for rule in rules for group in rule.user_groups}
        self._users = list(dict.fromkeys(user for rule in rules for user in rule.users))
        accounts = [split for user in self._users if (split := service_account(user))]
        own = [f"{ACCOUNTS}:{namespace}" for namespace, _ in accounts]
        # The order decides which groups a witness gets if there is a choice: the plain ones first.
        named = sorted(
            mentioned.union(own) - {AUTHENTICATED, UNAUTHENTICATED, ACCOUNTS},
            key=lambda group: (is_odd_name(group), ":" in group, group),
        )
        self._groups = (AUTHENTICATED, *named, ACCOUNTS, UNAUTHENTICATED)
        self._bit = {name: 1 << number for number, name in enumerate(self._groups)}
        self._all = (1 << len(self._groups)) - 1
        self._reserved = sum(bit for name, bit in self._bit.items() if name.startswith(ACCOUNTS))
        self._reserved |= self._bit[UNAUTHENTICATED]
        self._odd = sum(bit for name, bit in self._bit.items() if is_odd_name(name)) & ~self._reserved
        self._rules = rules

    def build(self) -> Identities:
        wanted = tuple(sum(self._bit[group] for group in set(rule.user_groups)) for rule in self._rules)
        merged: dict[tuple[str, int, Region, bool], list[str]] = {}
        anybody, naming = self._by_user()
        for name, kind, region, honest in self._everybody():
            key = kind, anybody | naming.get(name, 0), region, honest
            merged.setdefault(key, []).extend([] if name is None else [name])
        classes = tuple(IdentityClass(tuple(names), *key) for key, names in merged.items())
        return Identities(classes, self._groups, wanted)

    def _by_user(self) -> tuple[int, dict[str | None, int]]:
        """The rules for any user, and those that name a user, by its name."""
        anybody, naming = 0, dict[str | None, int]()
        for number, rule in enumerate(self._rules):
            anybody |= 0 if rule.users else 1 << number
            for user in rule.users:
                naming[user] = naming.get(user, 0) | 1 << number
        return anybody, naming

    def _everybody(self) -> Iterator[tuple[str | None, str, Region, bool]]:
        """Name (None: no user), kind, possible group sets, and whether an honest issuer would issue them."""
        ordinary = Region(self._reserved | self._odd, (self._bit[AUTHENTICATED],))
        other = fresh("someone", self._users)
        yield other, OTHER, ordinary, True
        free = [user for user in self._users if not user.startswith(ACCOUNT) and user != ANONYMOUS]
        plain = [user for user in free if not is_odd_name(user)]
        for user in plain:
            yield user, NAMED, ordinary, True
        yield from self._accounts()
        yield ANONYMOUS, ANONYMOUS, self._exactly(UNAUTHENTICATED), True
        yield None, FAILED, Region(self._all, ()), True
        for user in [other, *plain] if self._odd else ():
            yield user, ODD, Region(self._reserved, (self._bit[AUTHENTICATED], self._odd)), False
        for user in (user for user in free if is_odd_name(user)):
            yield user, ODD, Region(self._reserved, (self._bit[AUTHENTICATED],)), False
        anybody = Region(0, (self._bit[AUTHENTICATED] | self._bit[UNAUTHENTICATED],))
        for user in [other, *self._users]:
            if user != ANONYMOUS:
                yield user, FORGED, anybody, False
        yield ANONYMOUS, FORGED, Region(0, ()), False

    def _accounts(self) -> Iterator[tuple[str, str, Region, bool]]:
        """The named service accounts, one more per namespace that matters, and one in any other namespace."""
        named = [user for user in self._users if service_account(user)]
        for user in named:
            yield user, NAMED, self._exactly(*account_groups(user)), True
        prefix = f"{ACCOUNTS}:"
        namespaces = [group.removeprefix(prefix) for group in self._groups if group.startswith(prefix)]
        for namespace in namespaces:
            user = fresh(f"{ACCOUNT}{namespace}:other", self._users)
            if service_account(user):
                kind = f"any other service account of {namespace}"
                yield user, kind, self._exactly(*account_groups(user)), True
        elsewhere = fresh("somewhere", namespaces)
        kind = "any other service account" if not namespaces else "any service account of another namespace"
        yield f"{ACCOUNT}{elsewhere}:robot", kind, self._exactly(ACCOUNTS, AUTHENTICATED), True

    def _exactly(self, *groups: str) -> Region:
        bits = [self._bit[group] for group in groups]
        return Region(self._all & ~sum(bits), tuple(bits))


def service_account(user: str) -> tuple[str, str] | None:
    """Namespace and name if ``user`` is the name of a service account (SplitUsername)."""
    parts = user.removeprefix(ACCOUNT).split(":") if user.startswith(ACCOUNT) else []
    return (parts[0], parts[1]) if len(parts) == 2 and is_label(parts[0]) and is_subdomain(parts[1]) else None


def account_groups(user: str) -> tuple[str, str, str]:
    """The groups of the service account ``user``."""
    namespace = user.split(":")[2]
    return ACCOUNTS, f"{ACCOUNTS}:{namespace}", AUTHENTICATED
