"""The matrix: for every identity, what was recorded of each verb on each resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.report.faithful import judged_by_given

if TYPE_CHECKING:
    from auditproof.report.model import IdentityRecord, ProofRecord, Report

SIGNS = {
    Level.NONE: "-",
    Level.METADATA: "M",
    Level.REQUEST: "Rq",
    Level.REQUEST_RESPONSE: "RR",
}  # readable without colour
BUSY = 10  # actions that make a matrix of its own worth reading
EVERYBODY, OTHERS = "everybody", "everybody else"
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A resource, or "paths"; of each column the levels that were recorded, lowest first, empty where none was.

    ``who`` is empty where the matrix is one identity's.
    """

    who: str
    target: str
    cells: tuple[tuple[Level, ...], ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """What was recorded of an identity, or of all that did little; ``columns`` are the verbs that were used."""

    identity: str
    actions: int
    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


def matrices(report: Report) -> list[Matrix]:
    """A matrix an identity, the busiest first: of the performed actions that the given policy is judged by.

    Those that did little share the last one, which then says who in every row.
    """
    performed = [proof for proof in judged_by_given(report) if proof.observed.level is not None]
    found: dict[str, list[ProofRecord]] = {}
    for proof in performed:
        found.setdefault(identity_text(proof.identity), []).append(proof)
    busy = sorted((name for name in found if len(found[name]) >= BUSY), key=lambda name: (-len(found[name]), name))
    others = [proof for name in found if name not in busy for proof in found[name]]
    shared = [_matrix(OTHERS if busy else EVERYBODY, others, by_whom=True)] if others else []
    return [*(_matrix(name, found[name], by_whom=False) for name in busy), *shared]


def identity_text(identity: IdentityRecord) -> str:
    """Who acts, in a line."""
    user = identity.user or "nobody (authentication fails)"
    return f"{user} as {identity.impersonates}" if identity.impersonates else user


def _matrix(title: str, proofs: list[ProofRecord], *, by_whom: bool) -> Matrix:
    found: dict[tuple[str, str], dict[str, set[Level]]] = {}
    for proof in proofs:
        who = identity_text(proof.identity) if by_whom else ""
        request = proof.request
        if not request.resource:
            target = "paths"
        else:
            name = f"{request.resource}.{request.api_group}" if request.api_group else request.resource
            target = f"{name}/{request.subresource}" if request.subresource else name
        row = found.setdefault((who, target), {})
        if proof.observed.level is not None:
            row.setdefault(proof.request.verb or "(none)", set()).add(proof.observed.level)
    verbs = {verb for row in found.values() for verb in row}
    columns = (*(verb for verb in _VERBS if verb in verbs), *sorted(verbs - set(_VERBS)))
    rows = (
        MatrixRow(*key, tuple(tuple(sorted(found[key].get(verb, ()))) for verb in columns)) for key in sorted(found)
    )
    return Matrix(title, len(proofs), columns, tuple(rows))
