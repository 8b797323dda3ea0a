"""Merges classes of requests into a few readable rows: who x verbs x what x where.

All requests of a row have the same ``key`` (for example, the same effect of a policy). Classes that need a forged
credential, or that the server does not serve, get separate rows, and only if no ordinary class has the same key: an
ordinary request is always the better explanation.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from auditproof.analysis.space.cells import ODD, SERVED, UNSERVED
from auditproof.analysis.space.identities import Region
from auditproof.analysis.space.remarks import oddities
from auditproof.analysis.space.what import Everything
from auditproof.analysis.space.who import Who, who_text

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from auditproof.analysis.space.cells import Cell
    from auditproof.analysis.space.space import ClassDecision, Space
    from auditproof.analysis.space.what import Product
    from auditproof.kube.attributes import Attributes

K = TypeVar("K", bound="Hashable")
Deciding = tuple[int | None, ...]
Asked = dict[tuple[Who, int], tuple["ClassDecision", ...]]  # by who, and the mask of the cells


@dataclass(frozen=True, slots=True)
class Row(Generic[K]):
    """Requests with the same ``key``: who may send them, and a product of verbs, objects and places.

    ``standing`` says how ordinary the requests are (SERVED, UNSERVED or ODD), ``asking`` how ordinary the identities
    are (as in IdentityClass), ``odd`` what is odd about either, as clauses. ``deciding`` are the rules that decide any
    of them (as in ClassDecision), ``classes`` the classes of the space in the row, the most ordinary first.
    """

    key: K
    who: str
    product: Product
    standing: int
    asking: int
    odd: tuple[str, ...]
    deciding: tuple[Deciding, ...]
    classes: tuple[tuple[ClassDecision, Cell], ...]

    @property
    def served(self) -> bool:
        """Whether ordinary clients send these requests and the server serves them."""
        return self.standing == SERVED

    @property
    def refused(self) -> bool:
        """Whether the server rejects them with 404 or 405."""
        return self.standing == UNSERVED

    @property
    def honest(self) -> bool:
        """Whether the credential has no odd name or group, and none that only the server assigns."""
        return self.asking == 0

    @property
    def forged(self) -> bool:
        """Whether it needs a credential with a name or group that only the server assigns."""
        return self.asking > 1

    @property
    def ordinary(self) -> tuple[int, int]:
        """Sort key, the most ordinary first; (0, 0) are requests of ordinary clients."""
        return self.standing, self.asking

    def requests(self, space: Space) -> Iterator[Attributes]:
        """A request of each class in the row."""
        for outcome, cell in self.classes:
            yield cell.attributes(space.user(outcome), self.product.verbs)


def merge(space: Space, keyed: Iterable[tuple[ClassDecision, K | None]]) -> tuple[Row[K], ...]:
    """The rows of all outcomes with a key; ``keyed`` must hold every outcome of the space, also those without one."""
    found = _collect(keyed)
    everything = Everything.of(space)
    return tuple(
        row
        for key, asked in found.items()
        for part, standing in _parts(space, asked)
        for row in _Rows(space, everything, key, part, standing).rows()
    )


def _parts(space: Space, asked: Asked) -> Iterator[tuple[Asked, int]]:
    """The most ordinary requests with their standing, and odd requests that other rules decide."""
    best = _of(asked, min(who[0].standing for who, _ in asked))
    standing = min(space.cells[mask][0].standing for _, mask in best)
    yield best, standing
    # Odd requests get their own row only if a rule decides them that decides no ordinary request of the row.
    shown = {
        outcome.deciding
        for (_, mask), outcomes in best.items()
        if any(cell.standing == standing for cell in space.cells[mask])
        for outcome in outcomes
    }
    odd = {pair: some for pair, some in best.items() if space.cells[pair[1]][0].standing == ODD != standing}
    for part in (odd, {pair: some for pair, some in _of(asked, 1).items() if pair not in best}):
        rest = {pair: some for pair, some in part.items() if any(one.deciding not in shown for one in some)}
        if rest:
            yield rest, min(space.cells[mask][0].standing for _, mask in rest)
            shown.update(outcome.deciding for outcomes in rest.values() for outcome in outcomes)


def _of(asked: Asked, standing: int) -> Asked:
    """The requests of identities of this standing."""
    return {pair: some for pair, some in asked.items() if pair[0][0].standing == standing}


def _collect(keyed: Iterable[tuple[ClassDecision, K | None]]) -> dict[K, Asked]:
    """Who sends requests of which cells, by key."""
    by_pair: dict[tuple[int, int], list[tuple[ClassDecision, K | None]]] = defaultdict(list)
    for outcome, key in keyed:
        by_pair[id(outcome.identity), outcome.cells[0].mask].append((outcome, key))
    found: dict[K, Asked] = {}
    for (_, mask), pairs in by_pair.items():
        by_key: dict[K, list[ClassDecision]] = {}
        for outcome, key in pairs:
            if key is not None:
                by_key.setdefault(key, []).append(outcome)
        for key, outcomes in by_key.items():
            for who in _whos(outcomes, whole=len(outcomes) == len(pairs)):
                found.setdefault(key, {})[who, mask] = tuple(outcomes)
    return found


def _whos(outcomes: list[ClassDecision], *, whole: bool) -> Iterator[Who]:
    """The identity class of the outcomes, with the group sets to which they apply."""
    identity = outcomes[0].identity
    regions = [identity.region] if whole else joined_regions([outcome.region for outcome in outcomes])
    for region in regions:
        yield identity, region


def joined_regions(regions: list[Region]) -> list[Region]:
    """The same group sets in fewer regions; these must come in the order of first match."""
    joined: list[Region] = []
    for region in reversed(regions):
        union = _union(region, joined[-1]) if joined else None
        joined[-1:] = [union] if union else [*joined[-1:], region]
    return joined[::-1]


def _union(first: Region, second: Region) -> Region | None:
    """The union of two regions if it is a region: the second is the remainder without the first's last condition."""
    if not first.hits:
        return None
    *common, hit = first.hits
    if second.avoid == first.avoid | hit:
        if second.hits == tuple(common):
            return Region(first.avoid, second.hits)
        if second.hits[:-1] == tuple(common):
            return Region(first.avoid, (*common, hit | second.hits[-1]))
    return None


class _Rows(Generic[K]):
    """The rows of one key."""

    def __init__(self, space: Space, everything: Everything, key: K, asked: Asked, standing: int) -> None:
        self._space = space
        self._everything = everything
        self._key = key
        self._asked = asked
        self._asking = next(iter(asked))[0][0].standing
        self._standing = standing

    def rows(self) -> Iterator[Row[K]]:
        for whos, masks in self._rectangles():
            cells = [
                c for m, some in self._space.cells.items() if m in masks for c in some if c.standing == self._standing
            ]
            for product in self._everything.products(cells):
                yield self._row(whos, product)

    def _rectangles(self) -> list[tuple[frozenset[Who], frozenset[int]]]:
        """Who sends requests of which cells: grouped by who or by cells, whichever gives fewer groups."""
        whos_of: dict[int, set[Who]] = defaultdict(set)
        masks_of: dict[Who, set[int]] = defaultdict(set)
        for who, mask in self._asked:
            if any(cell.standing == self._standing for cell in self._space.cells[mask]):
                whos_of[mask].add(who)
                masks_of[who].add(mask)
        by_whos = _turned(whos_of)
        by_masks = _turned(masks_of)
        if len(by_masks) < len(by_whos):
            return [(whos, masks) for masks, whos in by_masks.items()]
        return list(by_whos.items())

    def _row(self, whos: frozenset[Who], product: Product) -> Row[K]:
        ordered = [who for who in dict.fromkeys(who for who, _ in self._asked) if who in whos]
        ordered.sort(key=lambda who: who[0].failed)
        pairs = [(who, mask) for who in ordered for mask in dict.fromkeys(cell.mask for cell in product.cells)]
        deciding = {outcome.deciding for pair in pairs for outcome in self._asked.get(pair, ())}
        classes = (
            (outcome, cell)
            for who in ordered
            for cell in product.cells
            for outcome in self._asked.get((who, cell.mask), ())[:1]
        )
        return Row(
            self._key,
            who_text(self._space.identities, ordered),
            product,
            self._standing,
            self._asking,
            oddities(product.cells, ordered, self._space.identities),
            tuple(sorted(deciding, key=lambda rules: [-1 if rule is None else rule for rule in rules])),
            tuple(classes),
        )


T = TypeVar("T", bound="Hashable")
U = TypeVar("U", bound="Hashable")


def _turned(table: dict[T, set[U]]) -> dict[frozenset[U], frozenset[T]]:
    """The keys by their values."""
    turned: dict[frozenset[U], set[T]] = defaultdict(set)
    for key, values in table.items():
        turned[frozenset(values)].add(key)
    return {values: frozenset(keys) for values, keys in turned.items()}
