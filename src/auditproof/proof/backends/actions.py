"""The identities and actions of backend tests: harmless requests, small and large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.action import Action, act, to_request
from auditproof.kube.identity import Identity, IdentityKind

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "backends"}}
WRITER = Identity.x509("writer")
LOADER = Identity(IdentityKind.X509, "loader", without_rights=True)  # refused by RBAC, and recorded all the same


def large(count: int, size: int = 50_000) -> list[Action]:
    """Dry-run actions of a WRITER whose events hold ``size`` bytes twice, in request and response."""
    body = {"data": {"text": "x" * size}}
    names = (f"configmaps/large-{n}" for n in range(count))
    # Dry runs: the bodies are recorded, and etcd does not grow.
    return [act("create", name, "backends", body=body, query={"dryRun": "All"}) for name in names]


def reads(count: int) -> list[Action]:
    """Harmless reads that differ only in the object name."""
    return [act("get", f"configmaps/number-{n}", "backends") for n in range(count)]


def cases_of(identity: Identity, actions: Sequence[Action]) -> list[Case]:
    """The actions as cases of ``identity``, in a namespace that the admin creates."""
    return [Case(str(n), identity, to_request(action), Expectation(), (NAMESPACE,)) for n, action in enumerate(actions)]
