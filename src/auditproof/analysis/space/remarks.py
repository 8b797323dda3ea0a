"""Describes what is odd about requests. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.space.cells import PATH_VERBS, SAME, PathCell
from auditproof.analysis.space.identities import ODD
from auditproof.analysis.space.oddity import is_odd_name, is_odd_namespace, quoted
from auditproof.analysis.space.path_index import ASTERISK
from auditproof.analysis.space.who import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auditproof.analysis.space.cells import Cell, ResourceCell
    from auditproof.analysis.space.identities import Identities
    from auditproof.analysis.space.who import Who

_EMPTY = "its path has empty segments"
_ASTERISK = "its request line has * for a path"


def odd_text(clauses: Sequence[str]) -> str:
    """The clauses as one sentence; empty if there are none."""
    return f"{' or '.join(clauses)}: no ordinary client sends such a request" if clauses else ""


def oddities(cells: Iterable[Cell], whos: Iterable[Who], identities: Identities) -> tuple[str, ...]:
    """What is odd about the requests for ``cells`` by ``whos``, as clauses; empty if they are ordinary."""
    found: dict[str, dict[str, None]] = {}
    for text, name in [*_of_cells(cells), *_of_identities(whos, identities)]:
        found.setdefault(text, {}).update({} if name is None else {name: None})
    return tuple(f"{text} {listed(quoted(names))}" if names else text for text, names in found.items())


def _of_cells(cells: Iterable[Cell]) -> Iterator[tuple[str, str | None]]:
    for cell in cells:
        if cell.odd:
            yield from _of_path(cell) if isinstance(cell, PathCell) else _of_resource(cell)


def _of_path(cell: PathCell) -> Iterator[tuple[str, str | None]]:
    if cell.paths == (ASTERISK,):
        yield _ASTERISK, None
    else:
        yield from (("its HTTP method is", verb.upper()) for verb in cell.verbs if verb not in PATH_VERBS)


def _of_resource(cell: ResourceCell) -> Iterator[tuple[str, str | None]]:
    named: list[tuple[str, str | None]]
    named = [("it names the namespace", name) for name in cell.namespaces if name and is_odd_namespace(name)]
    named += [("it names the resource", one.resource) for one in cell.targets if is_odd_name(one.resource)]
    parts = [one.subresource for one in cell.targets if one.subresource]
    named += [("it names the subresource", part) for part in parts if is_odd_name(part)]
    named += [("it names the object", cell.name)] if cell.name not in ("", SAME) and is_odd_name(cell.name) else []
    yield from named or [(_EMPTY, None)]


def _of_identities(whos: Iterable[Who], identities: Identities) -> Iterator[tuple[str, str | None]]:
    for identity, region in whos:
        if identity.kind == ODD:
            yield from (("it is sent by a user called", name) for name in identity.names if is_odd_name(name))
            groups = [name for hit in region.hits for name in identities.names_of(hit)]
            yield from (("it is sent from a group called", name) for name in groups if is_odd_name(name))
