"""The users whom a policy treats differently from others, whatever its rules look like. Pure.

Of the first rule that matches a member of several groups, one group is the reason, so what is recorded of this user is
what is recorded of a member of that group alone. It is therefore enough to look at users who are in one of the groups
that rules name, and at pairs: a user whom a rule names and who is in such a group, or a member of two groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from auditproof.analysis.space.identities import (
    ACCOUNT,
    ACCOUNTS,
    ANONYMOUS,
    AUTHENTICATED,
    NAMED,
    OTHER,
    UNAUTHENTICATED,
    service_account,
)
from auditproof.analysis.space.oddity import is_odd_name
from auditproof.audit.decide import decided_by
from auditproof.audit.effect import effect_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.space import Space
    from auditproof.analysis.space.identities import IdentityClass
    from auditproof.audit.effect import Effect
    from auditproof.audit.policy.load import Policy


class SubjectKind(IntEnum):
    """Kinds of users, in the order in which they are listed."""

    USER = 0
    USER_IN_GROUP = 1
    GROUP = 2
    ACCOUNT = 3
    ACCOUNTS_OF = 4  # any other service account of a namespace
    ACCOUNTS = 5  # any other service account
    ANONYMOUS = 6
    OTHERS = 7
    FAILED = 8


@dataclass(frozen=True, slots=True, order=True)
class Who:
    """Users whom the policy treats alike; ``name`` is that of a user, group or namespace, ``group`` one more group."""

    kind: SubjectKind
    name: str = ""
    group: str = ""

    @property
    def text(self) -> str:
        """In words, as a part of a list."""
        return {
            SubjectKind.USER: self.name,
            SubjectKind.USER_IN_GROUP: f"{self.name} as a member of {self.group}",
            SubjectKind.GROUP: f"members of {self.name}",
            SubjectKind.ACCOUNT: self.name,
            SubjectKind.ACCOUNTS_OF: f"other service accounts of {self.name}",
            SubjectKind.ACCOUNTS: "other service accounts",
            SubjectKind.ANONYMOUS: ANONYMOUS,
            SubjectKind.OTHERS: "other users",
            SubjectKind.FAILED: "failed logins (401)",
        }[self.kind]


OTHERS, FAILED_LOGINS = Who(SubjectKind.OTHERS), Who(SubjectKind.FAILED)


class Whos:
    """All users whom the rules of a policy may treat differently, each with the rules that can match their requests."""

    def __init__(self, policy: Policy, space: Space) -> None:
        self._policy, self._space = policy, space
        self._bit = {name: 1 << number for number, name in enumerate(space.identities.groups)}
        self._wanted = space.identities.wanted
        self._effects: dict[tuple[int, bool], Effect] = {}
        self._free: dict[str, IdentityClass] = {}  # users who can be in any group, by name; "" is all others
        self.rules: dict[Who, int] = dict(self._all())  # a bitmask of the rules that match some request of theirs

    def _all(self) -> Iterator[tuple[Who, int]]:
        groups = {name for name in self._bit if not name.startswith(ACCOUNTS) and not is_odd_name(name)}
        named = sorted(groups - {AUTHENTICATED, UNAUTHENTICATED})
        for identity in self._space.identities.classes:
            if not identity.honest:
                continue
            if identity.failed:
                yield FAILED_LOGINS, self._matching(identity, 0)
            elif identity.kind == OTHER:
                self._free[""] = identity
            elif identity.kind == ANONYMOUS:
                yield Who(SubjectKind.ANONYMOUS), self._matching(identity, self._bit[UNAUTHENTICATED])
            elif identity.names[0].startswith(ACCOUNT) and service_account(identity.names[0]):
                yield from self._accounts(identity)
            else:
                self._free |= dict.fromkeys(identity.names, identity)
        for name, identity in self._free.items():
            yield Who(SubjectKind.USER, name) if name else OTHERS, self._matching(identity, self._groups())
        for group in named:
            yield Who(SubjectKind.GROUP, group), self._matching(self._free[""], self._groups(group))
        # The users and groups that one rule requires together.
        known = set(named)
        for name, group in sorted(
            {
                (user, group)
                for rule in self._space.rules
                for user in rule.users
                if user in self._free
                for group in rule.user_groups
                if group in known
            }
        ):
            yield Who(SubjectKind.USER_IN_GROUP, name, group), self._matching(self._free[name], self._groups(group))

    def _accounts(self, identity: IdentityClass) -> Iterator[tuple[Who, int]]:
        groups = sum(set(identity.region.hits))
        for name in identity.names:
            namespace = name.split(":")[2]
            own = self._bit.get(f"{ACCOUNTS}:{namespace}", 0) & groups
            kind = (
                SubjectKind.ACCOUNT
                if identity.kind == NAMED
                else SubjectKind.ACCOUNTS_OF
                if own
                else SubjectKind.ACCOUNTS
            )
            label = {SubjectKind.ACCOUNT: name, SubjectKind.ACCOUNTS_OF: namespace}.get(kind, "")
            yield Who(kind, label), self._matching(identity, groups)

    def _groups(self, *more: str) -> int:
        return sum(self._bit[name] for name in (AUTHENTICATED, *more))

    def _matching(self, identity: IdentityClass, groups: int) -> int:
        wanted = (1 << number for number, some in enumerate(self._wanted) if not some or some & groups)
        return identity.mask & sum(wanted)

    def effects(self, one: Who, masks: Sequence[int]) -> tuple[Effect, ...]:
        """What is recorded of their requests, each given by the rules whose other conditions it meets."""
        return self._effects_of(self.rules[one], masks, failed=one.kind is SubjectKind.FAILED)

    def _effects_of(self, rules: int, masks: Sequence[int], *, failed: bool = False) -> tuple[Effect, ...]:
        return tuple(self._effect(rules & mask, failed=failed) for mask in masks)

    def _effect(self, matching: int, *, failed: bool) -> Effect:
        first = (matching & -matching).bit_length() - 1
        key = first, failed
        if key not in self._effects:
            rule = None if first < 0 else self._policy.rules[first]
            self._effects[key] = effect_of(decided_by(self._policy, rule), failed=failed)
        return self._effects[key]

    def told_apart(self, masks: Sequence[int]) -> dict[Who, tuple[Effect, ...]]:
        """The users whom the policy treats differently from those who are not named, and what is recorded of theirs.

        Also those of whom that is only so within a group.
        """
        found = {one: self.effects(one, masks) for one in self.rules}
        in_groups = self._in_groups(found, masks)

        def is_apart(one: Who) -> bool:
            if one.kind is SubjectKind.USER_IN_GROUP:
                alone, group = found[Who(SubjectKind.USER, one.name)], found[Who(SubjectKind.GROUP, one.group)]
                return any(mine not in pair for mine, *pair in zip(found[one], alone, group, strict=True))
            if one.kind is SubjectKind.ACCOUNT:
                namespace = Who(SubjectKind.ACCOUNTS_OF, one.name.split(":")[2])
                default = namespace if namespace in self.rules else Who(SubjectKind.ACCOUNTS)
            elif one.kind is SubjectKind.ACCOUNTS_OF:
                default = Who(SubjectKind.ACCOUNTS)
            else:
                default = (
                    OTHERS if one.kind in (SubjectKind.USER, SubjectKind.GROUP, SubjectKind.USER_IN_GROUP) else one
                )
            return default == one or found[one] != found[default] or one in in_groups

        return {one: effects for one, effects in sorted(found.items()) if is_apart(one)}

    def _in_groups(self, found: dict[Who, tuple[Effect, ...]], masks: Sequence[int]) -> set[Who]:
        """The users to whom a group makes another difference than to others, and these groups."""
        apart: set[Who] = set()
        users = [one for one in found if one.kind is SubjectKind.USER]
        for group in (one for one in found if one.kind is SubjectKind.GROUP):
            for user in users:
                if found[user] == found[OTHERS]:
                    both = self._both(user, group, masks)
                    if both != found[group]:
                        apart |= {user, group}
        return apart

    def _both(self, one: Who, group: Who, masks: Sequence[int]) -> tuple[Effect, ...]:
        """What is recorded of a user, or a member of a group, who is also in ``group``."""
        name, groups = (one.name, ()) if one.kind is SubjectKind.USER else ("", (one.name,))
        return self._effects_of(self._matching(self._free[name], self._groups(*groups, group.name)), masks)

    def together(
        self, kept: dict[Who, tuple[Effect, ...]], masks: Sequence[int]
    ) -> tuple[bool, list[tuple[Who, Who, bool]]]:
        """Whether anybody can be two of the users who are told apart, and pairs of which the exceptions do not add up.

        They add up if of a user who is both, all is recorded that is an exception of either. Otherwise the last value
        says whether the first one of the pair always counts; if not, it depends on the request.
        """
        users = [one for one in kept if one.kind is SubjectKind.USER]
        groups = [one for one in kept if one.kind is SubjectKind.GROUP]
        known = {(one.name, one.group) for one in kept if one.kind is SubjectKind.USER_IN_GROUP}
        pairs = [(user, group) for user in users for group in groups]
        pairs += [(one, other) for n, one in enumerate(groups) for other in groups[n + 1 :]]
        conflicts: list[tuple[Who, Who, bool]] = []
        for one, other in pairs:
            if (one.name, other.name) in known:
                continue
            counts: set[bool] = set()  # whether the first one counts, where both are not the same
            adds_up = True
            for mine, its, usual, seen in zip(
                kept[one], kept[other], kept[OTHERS], self._both(one, other, masks), strict=True
            ):
                if mine != its:
                    counts.add(seen == mine)
                    adds_up &= usual in (mine, its) and seen != usual
            if not adds_up:
                first = counts != {False}
                conflicts.append((one, other, len(counts) == 1) if first else (other, one, True))
        return bool(pairs), conflicts
