"""describe(policy, served): what a policy records, in a form that depends on its meaning alone. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditproof.analysis.describe.requests import OTHER, Asked, Requests
from auditproof.analysis.describe.whos import FAILED_LOGINS, OTHERS, SubjectKind, Who, Whos
from auditproof.analysis.gate.bodies import bodies_of
from auditproof.analysis.space import Space
from auditproof.analysis.space.cells import SAME, PathCell, ResourceCell
from auditproof.analysis.space.what import Everything
from auditproof.analysis.space.where import Mentioned
from auditproof.analysis.space.who import COMPLETE
from auditproof.audit.effect import NOTHING, WITH_BODIES, Effect
from auditproof.audit.event import Level, Stage
from auditproof.kube.attributes import Attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from auditproof.analysis.space.cells import Cell
    from auditproof.audit.policy.load import Policy
    from auditproof.kube.discovery import Served

Recorded = dict[Who, Effect]
EVERY_RESOURCE, EVERY_PATH = "every resource", "every path"
EVERY_OTHER = ("every other request for a resource", "every other request for a path")
_LEVELS = {level: -place for place, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Line:
    """Requests that are recorded alike: for what, with which verbs, where, and by whom (empty: everybody)."""

    effect: Effect
    what: str
    verbs: str
    where: str
    who: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """Requests of which a body that may hold a secret is recorded: the one that is sent, the returned one, or both."""

    bodies: frozenset[str]
    line: Line


@dataclass(frozen=True, slots=True)
class Description:
    """What a policy records on ``kubernetes``.

    ``usual`` is what is recorded of everybody, apart from ``exceptions``, which add up for users to whom several of
    them apply, apart from ``conflicts``: pairs of which only the first one's exceptions apply, or neither (False).
    ``secrets`` are requests of which the log may hold secrets; ``bodies`` says whether any body is recorded, and
    ``commands`` whether the use of exec is, whose commands are in the URI.
    """

    kubernetes: str
    usual: tuple[Line, ...]
    exceptions: tuple[Line, ...]
    several: bool
    conflicts: tuple[tuple[Who, Who, bool], ...]
    secrets: tuple[Secret, ...]
    bodies: bool
    commands: bool


def describe(policy: Policy, served: Served) -> Description:
    """Describe what ``policy`` records of every ordinary request, on an API server that serves ``served``.

    Policies that record the same have the same description, whatever their rules look like.

    >>> from auditproof import load_policy, load_served
    >>> from auditproof.analysis.describe import describe
    >>> found = describe(load_policy("fixtures/policies/metadata.yaml"), load_served("1.37"))
    >>> [(str(line.effect), line.what) for line in found.usual]
    [('Metadata', 'every resource'), ('Metadata', 'every path')]
    """
    space = Space.of(policy.rules, served)
    whos, requests = Whos(policy, space), Requests(space, served)
    masks = list(dict.fromkeys(requests.masks.values()))
    effects = whos.told_apart(masks)
    by_mask = {mask: _alike(tuple(effects[one][n] for one in effects), list(effects)) for n, mask in enumerate(masks)}
    page = _Page(requests.reduced(by_mask.__getitem__), list(effects))
    several, conflicts = whos.together(effects, masks)
    return Description(
        kubernetes=served.kubernetes,
        usual=tuple(page.usual()),
        exceptions=tuple(page.exceptions()),
        several=several,
        conflicts=tuple(conflicts),
        secrets=tuple(page.secrets()),
        bodies=page.has(lambda _, effect: effect.level in WITH_BODIES),
        commands=page.has(lambda asked, effect: _is_exec(asked) and effect.recorded),
    )


def _alike(effects: tuple[Effect, ...], whos: list[Who]) -> tuple[Effect, ...]:
    """The same, with the effect on failed logins as that on others who are recorded at the same level.

    A failed login has one event only, so not all stages show in it.
    """
    place = whos.index(FAILED_LOGINS)
    failed = effects[place]
    for other in (effects[whos.index(OTHERS)], *effects):
        if failed is not NOTHING and failed.level is other.level and failed.stages <= other.stages:
            return (*effects[:place], other, *effects[place + 1 :])
    return effects


class _Page:
    """The requests of a policy as cells, each with what is recorded of it by who asks."""

    def __init__(self, found: dict[Asked, tuple[Effect, ...]], whos: list[Who]) -> None:
        self._whos = whos
        self._others = whos.index(OTHERS)
        verbs: dict[tuple[object, ...], list[Asked]] = defaultdict(list)
        for asked, effects in found.items():
            verbs[asked.target, asked.path, asked.namespace, asked.name, effects].append(asked)
        self._cells = [(_cell(some), some, found[some[0]]) for some in verbs.values()]
        namespaces = sorted({asked.namespace for asked in found} - {"", OTHER})
        names = sorted({asked.name for asked in found} - {"", OTHER, SAME})
        mentioned = Mentioned(tuple(namespaces), tuple(names), COMPLETE)
        self._everything = Everything.in_cells((cell for cell, *_ in self._cells), mentioned)

    def usual(self) -> Iterator[Line]:
        """What is recorded of users whom no rule names; the most usual of it is that of every other request."""
        most = {path: self._most_usual(path=path) for path in (False, True)}
        yield from self._lines(
            lambda effects: [(effects[self._others], "")],
            lambda line, path: (
                replace(line, what=EVERY_OTHER[path], verbs="", where="")
                if line.effect == most[path] and not line.what.endswith((EVERY_RESOURCE, EVERY_PATH))
                else line
            ),
        )

    def _most_usual(self, *, path: bool) -> Effect:
        """The effect on most kinds of requests, for resources or for paths."""
        counted = Counter[Effect]()
        for _, some, effects in self._cells:
            if (some[0].target is None) is path:
                counted[effects[self._others]] += len(some)
        return max(counted, key=lambda effect: (counted[effect], _LEVELS[effect.level], sorted(effect.stages)))

    def exceptions(self) -> Iterator[Line]:
        """What is recorded of others, where it differs."""

        def differing(effects: tuple[Effect, ...]) -> Iterator[tuple[Effect, str]]:
            for effect in dict.fromkeys(effects):
                if effect != effects[self._others]:
                    some = [one for one, its in zip(self._whos, effects, strict=True) if its == effect]
                    yield effect, ", ".join(one.text for one in some)

        yield from self._lines(differing)

    def secrets(self) -> Iterator[Secret]:
        """The requests of which a body may hold a secret and is recorded, by what they are and who sends them."""
        found: dict[tuple[frozenset[str], str], list[Cell]] = defaultdict(list)
        for _, some, effects in self._cells:
            for asked in some:
                target = asked.target
                if target is None:
                    attributes = Attributes(None, asked.verb, path=asked.path, resource_request=False)
                else:
                    attributes = Attributes(
                        None,
                        asked.verb,
                        asked.namespace,
                        target.group,
                        target.version,
                        target.resource,
                        target.subresource,
                        asked.name,
                    )
                bodies = bodies_of(attributes)
                shown: dict[frozenset[str], list[Who]] = defaultdict(list)
                for one, effect in zip(self._whos, effects, strict=True):
                    if one.kind is not SubjectKind.FAILED and (held := bodies.recorded(effect) & bodies.secret):
                        shown[held].append(one)
                for held, whos in shown.items():
                    found[held, self._who_text(whos)].append(_cell([asked]))
        for (held, who), cells in sorted(found.items(), key=lambda pair: (-len(pair[0][0]), *map(str, pair[0]))):
            for product in self._everything.products(cells):
                line = Line(NOTHING, product.what, product.verbs_text, product.where, who)
                yield Secret(held, line)

    def _who_text(self, whos: list[Who]) -> str:
        every = [one for one in self._whos if one.kind is not SubjectKind.FAILED]
        left = [one for one in every if one not in whos]
        if not left:
            return ""
        if OTHERS in whos and len(left) < len(whos):
            return f"everybody except {', '.join(one.text for one in left)}"
        return ", ".join(one.text for one in whos)

    def has(self, recorded: Callable[[Asked, Effect], bool]) -> bool:
        """Whether ``recorded`` holds for any request."""
        return any(recorded(asked, effect) for _, some, effects in self._cells for asked in some for effect in effects)

    def _lines(
        self,
        keys: Callable[[tuple[Effect, ...]], Iterable[tuple[Effect, str]]],
        shown: Callable[[Line, bool], Line] = lambda line, _: line,
    ) -> Iterator[Line]:
        """A line for each product of verbs, objects and places with the same key, the most is recorded of first.

        ``shown`` is what stands for a line; its second argument says whether that is about paths.
        """
        found: dict[tuple[Effect, str], list[Cell]] = defaultdict(list)
        for cell, _, effects in self._cells:
            for key in keys(effects):
                found[key].append(cell)
        lines = [
            (product, Line(effect, product.what, product.verbs_text, product.where, who))
            for (effect, who), cells in found.items()
            for product in self._everything.products(cells)
        ]
        lines.sort(key=lambda pair: _place(pair[1], len(pair[0].cells), bool(pair[0].paths)))
        yield from dict.fromkeys(shown(line, bool(product.paths)) for product, line in lines)


def _place(line: Line, size: int, path: bool) -> tuple[object, ...]:
    """Sort key of lines: by level, resources before paths, large ones first."""
    effect = line.effect
    stages = sorted(Stage).index(min(effect.stages, default=Stage.PANIC)), sorted(effect.stages)
    return _LEVELS[effect.level], *stages, effect.omit_managed_fields, path, -size, line.what, line.where, line.who


def _cell(some: list[Asked]) -> Cell:
    first, verbs = some[0], tuple(asked.verb for asked in some)
    if first.target is None:
        return PathCell(0, True, False, (first.path,), verbs)
    return ResourceCell(0, True, False, (first.target,), verbs, (first.namespace,), first.name)


def _is_exec(asked: Asked) -> bool:
    target = asked.target
    return target is not None and (target.group, target.resource, target.subresource) == ("", "pods", "exec")
