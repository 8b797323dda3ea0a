"""Who acts on a server of backends, and how: harmless actions, one like the other, small and large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.action import Action, act, to_request
from auditproof.kube.identity import Identity, IdentityKind

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "pipe"}}
WRITER = Identity.x509("writer")
LOADER = Identity(IdentityKind.X509, "loader", without_rights=True)  # refused by RBAC, which is recorded all the same


def large(count: int, size: int = 50_000) -> list[Action]:
    """Actions of a WRITER whose events hold ``size`` bytes twice, in request and response; nothing comes of them."""
    body = {"data": {"text": "x" * size}}
    names = (f"configmaps/large-{n}" for n in range(count))
    return [act("create", name, "pipe", body=body, query={"dryRun": "All"}) for name in names]


def reads(count: int) -> list[Action]:
    """Harmless actions, one like the other."""
    return [act("get", f"configmaps/number-{n}", "pipe") for n in range(count)]


def cases_of(identity: Identity, actions: Sequence[Action]) -> list[Case]:
    """The actions as cases of ``identity``, in a namespace that is there."""
    return [Case(str(n), identity, to_request(action), Expectation(), (NAMESPACE,)) for n, action in enumerate(actions)]
