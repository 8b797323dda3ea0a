"""The requests of some cells in words: a few products of verbs, objects and places. Pure.

A complete set is named as such: "all verbs", "every resource", "all of apps". It is complete among the requests that
the server serves; for unserved cells, among the unserved ones; for odd cells, among all.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from auditproof.analysis.space.cells import ODD, PATH_VERBS, RESOURCE_VERBS, SERVED, UNSERVED, PathCell, ResourceCell
from auditproof.analysis.space.where import Mentioned, Where, where_of
from auditproof.analysis.space.who import COMPLETE, listed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from auditproof.analysis.space.cells import Cell
    from auditproof.analysis.space.resource_targets import ResourceTarget
    from auditproof.analysis.space.space import Space
    from auditproof.analysis.space.where import Place

Targets = tuple["ResourceTarget", ...]
_FEW = 6  # a list of more exceptions is not readable


@dataclass(frozen=True, slots=True)
class Product:
    """Requests for any of ``resources`` or ``paths`` with any of ``verbs`` (empty: all that these support).

    ``what`` describes the objects, ``where`` the namespaces and names; an empty ``where`` means anywhere.
    """

    verbs: tuple[str, ...]
    what: str
    where: str
    resources: tuple[str, ...]
    paths: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def verbs_text(self) -> str:
        """The verbs in words."""
        return ", ".join(verb or "OPTIONS" for verb in self.verbs) or "all verbs"


@dataclass(frozen=True, slots=True)
class Everything:
    """Everything that requests of a space can be for; each table is by standing, with everything under ODD.

    A class of targets is represented by its first one.
    """

    places: dict[int, dict[tuple[ResourceTarget, str], set[Place]]]
    verbs: dict[int, dict[ResourceTarget, set[str]]]
    targets: dict[int, dict[ResourceTarget, Targets]]
    paths: dict[int, dict[str, set[str]]]
    mentioned: Mentioned

    @staticmethod
    def of(space: Space) -> Everything:
        """Everything in ``space``."""
        return Everything.in_cells((cell for cells in space.cells.values() for cell in cells), Mentioned.of(space))

    @staticmethod
    def in_cells(cells: Iterable[Cell], mentioned: Mentioned) -> Everything:
        """Everything in ``cells``; other values than the mentioned ones stand for all others."""
        made = Everything(_by_standing(), _by_standing(), _by_standing(), _by_standing(), mentioned)
        for cell in cells:
            for standing in {cell.standing, ODD}:
                made._add(cell, standing)
        return made

    def _add(self, cell: Cell, standing: int) -> None:
        if isinstance(cell, PathCell):
            for path in cell.paths:
                self.paths[standing].setdefault(path, set()).update(cell.verbs)
            return
        first = cell.targets[0]
        self.targets[standing][first] = cell.targets
        self.verbs[standing].setdefault(first, set()).update(cell.verbs)
        for verb in cell.verbs:
            self.places[standing].setdefault((first, verb), set()).add((cell.namespaces, cell.name))

    def products(self, cells: Sequence[Cell]) -> Iterator[Product]:
        """The products of cells with the same standing."""
        yield from self._of_resources([cell for cell in cells if isinstance(cell, ResourceCell)])
        yield from self._of_paths([cell for cell in cells if isinstance(cell, PathCell)])

    def _of_paths(self, cells: list[PathCell]) -> Iterator[Product]:
        verbs: dict[str, set[str]] = defaultdict(set)
        for cell in cells:
            for path in cell.paths:
                verbs[path].update(cell.verbs)
        known = self.paths[cells[0].standing] if cells else {}
        for some, paths in _by_verbs(verbs, known).items():
            mine = tuple(c for c in cells if set(c.paths) & set(paths) and (not some or set(c.verbs) & some))
            what = self._except_or_all(_trees(paths, list(known)), _trees(_others(paths, known), list(known)), "path")
            yield Product(_in_order(some, PATH_VERBS), what, "", (), tuple(paths), mine)

    def _of_resources(self, cells: list[ResourceCell]) -> Iterator[Product]:
        asked: dict[ResourceTarget, dict[str, list[ResourceCell]]] = defaultdict(lambda: defaultdict(list))
        for cell in cells:
            for verb in cell.verbs:
                asked[cell.targets[0]][verb].append(cell)
        placed: dict[Where, dict[ResourceTarget, set[str]]] = {}
        for target, by_verb in asked.items():
            for where, verbs in self._places(target, by_verb).items():
                placed.setdefault(where, {})[target] = verbs
        for where, by_target in placed.items():
            for some, targets in _by_verbs(by_target, self.verbs[cells[0].standing]).items():
                pairs = ((target, verb) for target in targets for verb in _in_order(by_target[target], RESOURCE_VERBS))
                mine = dict.fromkeys(cell for target, verb in pairs for cell in asked[target][verb])
                yield self._of_targets(tuple(sorted(mine, key=lambda cell: not cell.answered)), where, some, targets)

    def _places(self, target: ResourceTarget, by_verb: dict[str, list[ResourceCell]]) -> dict[Where, set[str]]:
        """The verbs by where they apply; those without object names join the other verbs of the same place."""
        wheres: dict[str, Where] = {}
        nameless: dict[str, Where] = {}
        for verb, cells in by_verb.items():
            known = self.places[cells[0].standing][target, verb]
            where = where_of({(cell.namespaces, cell.name) for cell in cells}, known, self.mentioned)
            (wheres if any(name for _, name in known) else nameless)[verb] = where
        for verb, where in nameless.items():
            alike = {one for one in wheres.values() if one.places is None and one.namespaces == where.namespaces}
            nameless[verb] = alike.pop() if len(alike) == 1 else where
        found: dict[Where, set[str]] = {}
        for verb, where in (wheres | nameless).items():
            found.setdefault(where, set()).add(verb)
        return found

    def _of_targets(
        self, cells: tuple[ResourceCell, ...], where: Where, verbs: frozenset[str], targets: list[ResourceTarget]
    ) -> Product:
        standing = cells[0].standing
        chosen = [target for first in targets for target in self.targets[standing][first]]
        known = self.verbs[standing]
        everything = [
            target
            for first, some in self.targets[standing].items()
            if not verbs or known[first] & verbs
            for target in some
        ]
        some, others = self._names(chosen, everything), self._names(_others(chosen, everything), everything)
        what = self._except_or_all(some, others, "resource")
        if standing == UNSERVED and not others:
            what = "everything that is not served so"
        names = tuple(target.text for target in chosen)
        return Product(_in_order(verbs, RESOURCE_VERBS), what, where.text(self.mentioned), names, (), cells)

    def _names(self, chosen: list[ResourceTarget], everything: list[ResourceTarget]) -> list[str]:
        """Names of resources, or of a whole API group; placeholders for others come last."""
        wanted = set(chosen)
        groups: dict[str, list[ResourceTarget]] = defaultdict(list)
        for target in everything:
            groups[target.group].append(target)
        names: dict[str, None] = {}
        others: dict[str, None] = {}
        for target in chosen:
            group = groups[target.group]
            left = [one.text for one in group if one not in wanted]
            # A whole group is shorter than its resources, also with exceptions if these are the minority.
            complete = len(group) > 1 and group[0].known and target.group != "*"
            most = self.mentioned.shown == COMPLETE and group[-1].known and 2 * len(left) < len(group)
            if complete and (most or not left):
                besides = f" (except {', '.join(left)})" if left else ""
                names[f"all of {target.group or 'the core group'}{besides}"] = None
            elif target.known:
                names[target.text] = None
            else:
                if target.group.endswith("auditproof.dev"):
                    kind_text = "resources of any other group"
                elif target.subresource:
                    kind_text = f"other subresources in {target.group or 'the core group'}"
                else:
                    kind_text = f"other resources in {target.group or 'the core group'}"
                others[kind_text] = None
        return [*names, *others]

    def _except_or_all(self, names: list[str], others: list[str], noun: str) -> str:
        """The names, or the exceptions if these are fewer."""
        if not others:
            return f"every {noun}"
        shown = self.mentioned.shown
        few = _FEW if shown < COMPLETE else COMPLETE
        if len(others) < len(names) and len(others) <= few:
            return f"every {noun} except {listed(others, shown)}"
        return f"{'' if noun == 'resource' else 'path ' if not names[1:] else 'paths '}{listed(names, shown)}"


def _by_standing() -> dict[int, dict[Any, Any]]:
    return {SERVED: {}, UNSERVED: {}, ODD: {}}


T = TypeVar("T", bound="Hashable")


def _by_verbs(asked: dict[T, set[str]], known: dict[T, set[str]]) -> dict[frozenset[str], list[T]]:
    """Objects by verbs; a list of verbs means those that the object supports, an empty list all of them."""
    partly = {frozenset(verbs) for target, verbs in asked.items() if verbs != known[target]}
    lists: list[frozenset[str]] = []
    for some in sorted(partly, key=lambda verbs: (-len(verbs), sorted(verbs))):
        # One list will do for two if neither adds a verb to the objects of the other.
        its = [target for target, verbs in asked.items() if verbs == some]
        for place, other in enumerate(lists):
            both = some | other
            theirs = [target for target, verbs in asked.items() if other & known[target] == verbs]
            if all(both & known[target] == asked[target] for target in (*its, *theirs)):
                lists[place] = both
                break
        else:
            lists.append(some)

    def fitting(target: T) -> frozenset[str]:
        return next((some for some in lists if some & known[target] == asked[target]), frozenset())

    # Objects with all their verbs are listed together, unless a list that others need will do for all of them.
    whole = {target for target, verbs in asked.items() if verbs == known[target]}
    together = all(map(fitting, whole))
    merged: dict[frozenset[str], list[T]] = {}
    for target in asked:
        merged.setdefault(frozenset() if target in whole and not together else fitting(target), []).append(target)
    return merged


def _in_order(verbs: Iterable[str], order: tuple[str, ...]) -> tuple[str, ...]:
    known = set(verbs)
    return tuple(verb for verb in (*order, *sorted(known.difference(order))) if verb in known)


def _others(chosen: Iterable[T], everything: Iterable[T]) -> list[T]:
    wanted = set(chosen)
    return [one for one in everything if one not in wanted]


def _trees(paths: list[str], known: list[str]) -> list[str]:
    """The paths; if all paths below one are included, only that one, followed by ``/…``."""
    wanted = set(paths)
    by_head: dict[str, list[str]] = defaultdict(list)
    for path in known:
        by_head[_head(path)].append(path)
    whole = {head for head, some in by_head.items() if head and len(some) > 1 and wanted.issuperset(some)}
    return list(dict.fromkeys(f"/{h}/…" if (h := _head(path)) in whole else path for path in paths))


def _head(path: str) -> str:
    return path.split("/")[1] if path.startswith("/") else path
