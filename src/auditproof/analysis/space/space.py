"""The space of a sequence of rules, and the decisions of lists of rules in it, by first match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.space.cells import SERVED, cells_of
from auditproof.analysis.space.identities import identities_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.space.cells import Cell
    from auditproof.analysis.space.identities import Identities, IdentityClass, Region
    from auditproof.analysis.space.joint import JointDecision
    from auditproof.audit.policy.load import PolicyRule
    from auditproof.kube.attributes import UserInfo
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class ClassDecision:
    """The decisions about a class of requests.

    The requests are sent by any user of ``identity`` with groups in ``region``, for anything in ``cells``; for each
    list of rules, ``deciding`` has the index of the deciding rule, or None.
    """

    identity: IdentityClass
    region: Region
    cells: tuple[Cell, ...]
    deciding: tuple[int | None, ...]

    @property
    def oddness(self) -> tuple[int, int, bool]:
        """Sort key, the most ordinary first: by the request, by its user, failed logins last."""
        return self.cells[0].standing, self.identity.standing, self.identity.failed


Lists = tuple[tuple[int, int], ...]  # for each list of rules its first and end index in the space's rules


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Every request that ``rules`` can distinguish; ``cells`` are grouped by the rules whose conditions they meet."""

    rules: tuple[PolicyRule, ...]
    identities: Identities
    cells: dict[int, tuple[Cell, ...]]

    @staticmethod
    def of(rules: Sequence[PolicyRule], served: Served, *, meeting: int = -1) -> Space:
        """The space of ``rules`` on a server with the discovery data ``served``.

        ``meeting``, a bitmask of rules, restricts it to requests that meet the conditions of at least one of them, but
        for those on users.
        """
        grouped: dict[int, list[Cell]] = {}
        for cell in cells_of(rules, served, meeting):
            grouped.setdefault(cell.mask, []).append(cell)
        cells = {mask: tuple(sorted(some, key=_least_wanted)) for mask, some in grouped.items()}
        return Space(tuple(rules), identities_of(rules), cells)

    def outcomes(self, *lists: tuple[int, int], ordinary: bool = False) -> Iterator[ClassDecision]:
        """The whole space, divided by the decision of each list of rules; a list is given as (first, end).

        Without a list, all rules form one. ``ordinary`` leaves out what the server does not serve, odd requests, and
        credentials that no issuer issues.
        """
        wanted = lists or ((0, len(self.rules)),)
        known: dict[tuple[int, Region], tuple[tuple[tuple[int | None, ...], Region], ...]] = {}
        for identity in self.identities.classes:
            if ordinary and identity.standing:
                continue
            for mask, cells in self.cells.items():
                if ordinary and cells[0].standing != SERVED:
                    continue
                key = mask & identity.mask, identity.region
                if key not in known:
                    known[key] = tuple(self._decided(*key, wanted))
                for deciding, region in known[key]:
                    yield ClassDecision(identity, region, cells, deciding)

    def together(self, identity: IdentityClass, *masks: int) -> Iterator[tuple[tuple[int | None, ...], Region]]:
        """The decisions of all rules about several requests of one identity, each given by the mask of its cell."""
        yield from self._together(identity.region, tuple(mask & identity.mask for mask in masks))

    def _together(self, region: Region, masks: tuple[int, ...]) -> Iterator[tuple[tuple[int | None, ...], Region]]:
        if not masks:
            yield (), region
            return
        for rule, inner in self.first_matches(masks[0], region, (0, len(self.rules))):
            for others, innermost in self._together(inner, masks[1:]):
                yield (rule, *others), innermost

    def _decided(self, mask: int, region: Region, lists: Lists) -> Iterator[tuple[tuple[int | None, ...], Region]]:
        """The decisions of all lists for the rules in ``mask``, with the group sets to which they apply."""
        if not lists:
            yield (), region
            return
        for rule, inner in self.first_matches(mask, region, lists[0]):
            for others, innermost in self._decided(mask, inner, lists[1:]):
                yield (rule, *others), innermost

    def first_matches(self, mask: int, region: Region, rules: tuple[int, int]) -> Iterator[tuple[int | None, Region]]:
        """Each rule of the list that can decide, with the group sets for which it does; None last."""
        first, end = rules
        left = mask & ((1 << end) - (1 << first))
        while left and region.possible():
            number = (left & -left).bit_length() - 1
            left &= left - 1
            groups = self.identities.wanted[number]
            if not groups:
                yield number - first, region
                return
            if (inside := region.having(groups)).possible():
                yield number - first, inside
            region = region.without(groups)
        if region.possible():
            yield None, region

    def user(self, outcome: ClassDecision | JointDecision) -> UserInfo | None:
        """A concrete user who gets this outcome."""
        return self.identities.user(outcome.identity, outcome.region)


def _least_wanted(cell: Cell) -> tuple[int, bool, bool, bool]:
    """Sort key: served and well-known requests first."""
    known = not hasattr(cell, "targets") or cell.targets[0].known
    return cell.standing, not cell.answered, not known, cell.verbs[0] in ("", "proxy")
