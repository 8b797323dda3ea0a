"""What cases need before the first request: objects and credentials. What fails is the fault of those cases alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.errors import AuditproofError, SetupFailed, WireError
from auditproof.kube.manifest import Manifest, named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from auditproof.cases.case import Case
    from auditproof.errors import Position
    from auditproof.kube.identity import Identity
    from auditproof.proof.connections import Connections
    from auditproof.setup.objects import Objects


def create_given(objects: Objects, cases: Sequence[Case], shown: Callable[[Position], str]) -> None:
    """Create the objects that the cases need, each once; ``shown`` is how a message names a place in a file.

    Raises SetupFailed with the first object of each case that cannot be created, and TimedOut if the admission that
    they set up does not come into force.
    """
    # By identity: the cases of a file share their manifests, and a mapping cannot be hashed.
    tried: dict[int, AuditproofError | None] = {}
    failed: dict[str, AuditproofError] = {}
    for case in cases:
        for manifest in case.given:
            if id(manifest) not in tried:
                tried[id(manifest)] = _fault_of(objects, manifest, shown)
            error = tried[id(manifest)]
            if error is not None:
                failed[case.id] = error
                break
        if case.attributes.resource == "pods" and case.attributes.verb == "create":
            objects.ensure_default_account(case.attributes.namespace)
    if failed:
        raise SetupFailed(failed)
    objects.await_admission({id(one): one for case in cases for one in case.given}.values())


def make_credentials(connections: Connections, cases: Sequence[Case]) -> None:
    """Make the credential of every identity. Raises SetupFailed for the cases whose identity gets none."""
    failed: dict[Identity, AuditproofError] = {}
    for identity in dict.fromkeys(case.identity for case in cases):
        try:
            connections.of(identity)
        except AuditproofError as error:
            failed[identity] = error
    if failed:
        raise SetupFailed({case.id: failed[case.identity] for case in cases if case.identity in failed})


def _fault_of(
    objects: Objects, manifest: Mapping[str, Any], shown: Callable[[Position], str]
) -> AuditproofError | None:
    """Why an object cannot be created; None if it is there now."""
    try:
        objects.create(manifest)
    except AuditproofError as error:
        where = f"{shown(manifest.position)}: " if isinstance(manifest, Manifest) else ""
        return WireError(f"{where}{named(manifest)} cannot be set up: {str(error).removeprefix('set-up: ')}")
    return None
