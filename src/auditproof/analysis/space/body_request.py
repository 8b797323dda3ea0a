"""Requests that show what a change does to bodies: a dry-run create that the server accepts, with an object in it.

A request that is refused before its body is decoded has no body in the log, whatever the level: LogRequestObject is
called after authorization and before admission (staging/src/k8s.io/apiserver/pkg/endpoints/handlers/create.go).
So its user has the right to create the object. It is a dry run all the same: nothing is stored.
"""

from __future__ import annotations

import heapq
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space.cells import ResourceCell
from auditproof.analysis.space.identities import ANONYMOUS, UNAUTHENTICATED
from auditproof.kube.identity import UNAUTHENTICATED_KINDS, IdentityKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.space.client_request import Performable
    from auditproof.analysis.space.resource_targets import ResourceTarget
    from auditproof.analysis.space.rows import Row
    from auditproof.analysis.space.space import ClassDecision, Space
    from auditproof.kube.attributes import Attributes

NAME = "auditproof-example"
_SECRET = {"password": "an example, and nobody's password"}
# What readers recognize first. An object of any other kind may lack required fields: it is refused and recorded.
_CONTENTS: dict[tuple[str, str], dict[str, Any]] = {
    ("", "secrets"): {"stringData": _SECRET},
    ("", "configmaps"): {"data": {"setting": "an example"}},
    ("", "serviceaccounts"): {},
    ("", "namespaces"): {},
}
_VERBS = ("create", "update", "patch")
_TRIED = 8  # requests with a body that are tried before any other request of the row
_Rank = tuple[int, int, bool, int]


def requests_with_bodies(row: Row[Any], space: Space) -> Iterator[Attributes]:
    """Up to _TRIED requests of the row whose body a server decodes, those that explain themselves first."""
    found = heapq.nsmallest(_TRIED, _ranked(row), key=lambda one: one[0])
    for _, outcome, cell, verb in found:
        target = min(cell.targets, key=_kind)
        yield cell.attributes_of(space.user(outcome), target, verb, cell.namespaces[0])


def _ranked(row: Row[Any]) -> Iterator[tuple[_Rank, ClassDecision, ResourceCell, str]]:
    for place, (outcome, cell) in enumerate(row.classes):
        if outcome.identity.failed or not isinstance(cell, ResourceCell):
            continue
        for verb in cell.verbs:
            if verb in _VERBS and (not row.product.verbs or verb in row.product.verbs):
                kind = min(map(_kind, cell.targets))
                yield (_VERBS.index(verb), kind, ANONYMOUS in outcome.identity.names, place), outcome, cell, verb


def _kind(target: ResourceTarget) -> int:
    """How soon a reader understands what the body of such an object is."""
    key = (target.group, target.resource)
    if target.subresource:
        return len(_CONTENTS) + 1
    return list(_CONTENTS).index(key) if key in _CONTENTS else len(_CONTENTS)


def accepted(sent: Performable, space: Space) -> Performable:
    """The same request with an object as its body, by a user who may send it; itself if it has no such body."""
    attributes, identity = sent.attributes, sent.identity
    user = attributes.user
    if identity.kind is IdentityKind.ANONYMOUS or identity.kind in UNAUTHENTICATED_KINDS or user is None:
        return sent
    if attributes.verb not in _VERBS or UNAUTHENTICATED in user.groups:
        return sent
    content = _CONTENTS.get((attributes.api_group, attributes.resource), {}) if not attributes.subresource else {}
    body = json.dumps({"metadata": {"name": attributes.name or NAME}, **content}).encode()
    named = {name for rule in space.rules for name in rule.namespaces}
    return replace(
        sent,
        identity=replace(identity, without_rights=False),
        request=replace(sent.request, body=body),
        in_namespace="" if attributes.namespace in named else attributes.namespace,
    )
