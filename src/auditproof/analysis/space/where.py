"""The namespaces and names of requests in words; nothing is said where any will do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.space.cells import SAME
from auditproof.analysis.space.who import SHOWN, listed

if TYPE_CHECKING:
    from collections.abc import Collection

    from auditproof.analysis.space.space import Space

Place = tuple[tuple[str, ...], str]  # namespaces that no rule tells apart, and a name


@dataclass(frozen=True, slots=True)
class Mentioned:
    """The namespaces and names that rules mention; any other value represents all others.

    A text has ``shown`` of them at most.
    """

    namespaces: tuple[str, ...]
    names: tuple[str, ...]
    shown: int = SHOWN

    @staticmethod
    def of(space: Space) -> Mentioned:
        """Those of the space's rules, in order."""
        namespaces = [name for rule in space.rules for name in rule.namespaces if name]
        names = [name for rule in space.rules for entry in rule.resources for name in entry.resource_names if name]
        return Mentioned(tuple(dict.fromkeys(namespaces)), tuple(dict.fromkeys(names)))


@dataclass(frozen=True, slots=True)
class Where:
    """Some of the places to which a verb applies; ``namespaces`` and ``names`` are None for all of them.

    ``places`` is None if these two describe it completely.
    """

    namespaces: frozenset[tuple[str, ...]] | None
    names: frozenset[str] | None
    places: frozenset[Place] | None = None

    def text(self, mentioned: Mentioned) -> str:
        """In words; empty for anywhere."""
        if self.places is None:
            namespaces = "" if self.namespaces is None else _namespaces_text(self.namespaces, mentioned)
            names = "" if self.names is None else _names_text(self.names, mentioned)
            return ", ".join(filter(None, [namespaces, names]))
        names_in: dict[tuple[str, ...], set[str]] = {}
        for namespace, name in sorted(self.places):
            names_in.setdefault(namespace, set()).add(name)
        by_names: dict[frozenset[str], list[tuple[str, ...]]] = {}
        for namespace, some in names_in.items():
            by_names.setdefault(frozenset(some), []).append(namespace)
        texts = (
            f"{_namespaces_text(many, mentioned)} {_names_text(some, mentioned)}" for some, many in by_names.items()
        )
        return "; or ".join(text.strip() for text in texts)


def where_of(places: set[Place], known: set[Place], mentioned: Mentioned) -> Where:
    """Where ``places`` are among all that are ``known`` for the same verb.

    "Any other namespace" includes "across all", and "any other name" includes no name, if the verb has these at all,
    so that verbs which differ only in these yield the same Where.
    """
    if places == known:
        return Where(None, None)
    namespaces, names = frozenset(some for some, _ in places), frozenset(name for _, name in places)
    if places != {place for place in known if place[0] in namespaces and place[1] in names}:
        return Where(namespaces, names, frozenset(places))
    all_namespaces, all_names = {some for some, _ in known}, {name for _, name in known}
    other_namespace = any(set(some) - {"", *mentioned.namespaces} for some in namespaces)
    other_name = bool(names - {"", *mentioned.names})
    if other_namespace and (("",) in namespaces or ("",) not in all_namespaces):
        namespaces, all_namespaces = namespaces - {("",)}, all_namespaces - {("",)}
    if other_name and ("" in names or "" not in all_names):
        names, all_names = names - {""}, all_names - {""}
    return Where(None if namespaces == all_namespaces else namespaces, None if names == all_names else names)


def _namespaces_text(namespaces: Collection[tuple[str, ...]], mentioned: Mentioned) -> str:
    flat = {name for some in namespaces for name in some}
    known = [name for name in mentioned.namespaces if name in flat]
    texts = [f"in {listed(known, mentioned.shown)}"] if known else []
    if any(name and name not in mentioned.namespaces for name in flat):
        left = [name for name in mentioned.namespaces if name not in flat]
        texts = [f"in any namespace except {listed(left, mentioned.shown)}"] if left else ["in a namespace"]
    if "" in flat:
        texts.append("in no namespace or across all")
    return " or ".join(texts)


def _names_text(names: Collection[str], mentioned: Mentioned) -> str:
    known = [name for name in mentioned.names if name in names]
    if SAME in names:
        return ""
    if any(name and name not in mentioned.names for name in names):
        left = [name for name in mentioned.names if name not in names]
        return f"not named {listed(left, mentioned.shown)}" if left else "with a name"
    texts = [f"named {listed(known, mentioned.shown)}"] if known else []
    return " or ".join([*texts, *(["without a name"] if "" in names else [])])
