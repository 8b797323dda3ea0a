"""Which requests have bodies that the API server records, and which of these may hold secrets.

Source: staging/src/k8s.io/apiserver/pkg/audit/request.go, called from the handlers of pkg/endpoints/handlers. The
request's body is decoded after RequestReceived, the response's object is known at ResponseComplete only; watches and
connections to nodes have neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.decide import matches
from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.load import NOWHERE, GroupResources, selector

if TYPE_CHECKING:
    from auditproof.audit.effect import Effect
    from auditproof.audit.policy.load import PolicyRule
    from auditproof.kube.attributes import Attributes

_WRITES = ("create", "update", "patch")
_RETURNS = ("get", "list", "create", "update", "patch", "deletecollection")
_HOLD_SECRETS = (("", "secrets"), ("", "configmaps"), ("authentication.k8s.io", "tokenreviews"))


def _selector(verbs: tuple[str, ...], *resources: tuple[str, str]) -> PolicyRule:
    """Requests with these verbs for ``resources``, each a group and a name; for all resources if none is given."""
    entries = resources or (("*", ""),)
    return selector(
        verbs=verbs,
        resources=tuple(GroupResources(group, (name,) if name else (), (), NOWHERE) for group, name in entries),
    )


BODIES: tuple[tuple[PolicyRule, ...], ...] = (  # of Bodies' four fields
    (_selector((*_WRITES, "delete", "deletecollection")),),
    (_selector((*_RETURNS, "delete")),),
    (_selector(_WRITES, *_HOLD_SECRETS),),
    (_selector(_RETURNS, *_HOLD_SECRETS), _selector(("create",), ("", "serviceaccounts/token"))),
)


@dataclass(frozen=True, slots=True)
class Bodies:
    """Which bodies the requests of a class have, and whether these may hold secrets."""

    sent: bool
    returned: bool
    secret_sent: bool
    secret_returned: bool

    def recorded(self, effect: Effect) -> frozenset[str]:
        """The bodies that are in the log: ``sent``, ``returned``."""
        if Stage.RESPONSE_COMPLETE not in effect.stages:
            return frozenset()
        sent = {"sent"} if self.sent and effect.level >= Level.REQUEST else set[str]()
        return frozenset(sent | ({"returned"} if self.returned and effect.level is Level.REQUEST_RESPONSE else set()))

    @property
    def secret(self) -> frozenset[str]:
        """The bodies that may hold secrets."""
        return frozenset(
            name for name, held in (("sent", self.secret_sent), ("returned", self.secret_returned)) if held
        )


def bodies_of(attributes: Attributes) -> Bodies:
    """The bodies of a request, whoever sends it."""
    return Bodies(*(any(matches(one, attributes) for one in selectors) for selectors in BODIES))
