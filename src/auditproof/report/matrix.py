"""The matrix: for every identity, what was recorded of each verb on each resource."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.report.headline import judged_by_given

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LEVELS = {"None": "-", "Metadata": "M", "Request": "Rq", "RequestResponse": "RR"}  # readable without colour
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A resource, or "paths"; of each column the levels that were recorded, lowest first, empty where none was."""

    target: str
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """What was recorded of one identity; ``columns`` are the verbs that it used."""

    identity: str
    actions: int
    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


def matrices(report: Mapping[str, Any]) -> list[Matrix]:
    """A matrix an identity, the busiest first: of the performed actions that the given policy is judged by."""
    performed = [proof for proof in judged_by_given(report) if proof["observed"]["level"] is not None]
    counted = Counter(identity_text(proof["identity"]) for proof in performed)
    return [_matrix(name, [p for p in performed if identity_text(p["identity"]) == name]) for name in _busiest(counted)]


def identity_text(identity: Mapping[str, Any]) -> str:
    """Who acts, in a line."""
    user = identity["user"] or "nobody (authentication fails)"
    return f"{user} as {identity['impersonates']}" if identity.get("impersonates") else str(user)


def _busiest(counted: Counter[str]) -> list[str]:
    return sorted(counted, key=lambda name: (-counted[name], name))


def _matrix(identity: str, proofs: list[Mapping[str, Any]]) -> Matrix:
    found: dict[str, dict[str, set[str]]] = {}
    for proof in proofs:
        row = found.setdefault(_target(proof["request"]), {})
        row.setdefault(proof["request"]["verb"] or "(none)", set()).add(str(proof["observed"]["level"]))
    columns = _in_order({verb for row in found.values() for verb in row})
    rows = tuple(MatrixRow(name, tuple(_levels(row.get(verb, ())) for verb in columns)) for name, row in found.items())
    return Matrix(identity, len(proofs), columns, tuple(sorted(rows, key=lambda row: row.target)))


def _target(request: Mapping[str, str]) -> str:
    if not request["resource"]:
        return "paths"
    name = f"{request['resource']}.{request['apiGroup']}" if request["apiGroup"] else request["resource"]
    return f"{name}/{request['subresource']}" if request["subresource"] else name


def _in_order(verbs: set[str]) -> tuple[str, ...]:
    return (*(verb for verb in _VERBS if verb in verbs), *sorted(verbs - set(_VERBS)))


def _levels(levels: Iterable[str]) -> tuple[str, ...]:
    return tuple(level for level in LEVELS if level in levels)
