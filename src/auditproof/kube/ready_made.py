"""Identities that every case and every test can use without declaring them. Pure."""

from __future__ import annotations

from auditproof.errors import Misuse
from auditproof.kube.identity import MASTERS, Identity, IdentityKind, Impersonation
from auditproof.text.suggestion import did_you_mean

READY_MADE = {
    "alice": Identity.x509("alice", "developers"),
    "bob": Identity.x509("bob"),
    "admin": Identity.x509("admin", MASTERS),
    "stranger": Identity(IdentityKind.X509, "stranger", without_rights=True),
    "robot": Identity.service_account("robots", "robot"),
    "anonymous": Identity.anonymous(),
    "intruder": Identity.bad_token(),
    "deputy": Identity(IdentityKind.X509, "deputy", impersonates=Impersonation("bob", ("ops",))),
    "node": Identity.x509("system:node:node-1", "system:nodes"),
    "scheduler": Identity.x509("system:kube-scheduler"),
    "controller-manager": Identity.x509("system:kube-controller-manager"),
    "kube-proxy": Identity.x509("system:kube-proxy"),
}
MEANINGS = {
    "alice": "a user of the group developers, with the rights that her requests need",
    "bob": "a user of no group, with the rights that his requests need",
    "admin": "a cluster administrator (group system:masters)",
    "stranger": "a user without any right: 403",
    "robot": "the service account robot of the namespace robots",
    "anonymous": "nobody: a request without a credential",
    "intruder": "an invalid bearer token: 401",
    "deputy": "a user who impersonates bob of the group ops",
    "node": "the kubelet of node-1 (group system:nodes)",
    "scheduler": "the scheduler (system:kube-scheduler)",
    "controller-manager": "the controllers (system:kube-controller-manager)",
    "kube-proxy": "the network proxy of a node (system:kube-proxy)",
}


def ready_made(name: str) -> Identity:
    """The ready-made identity of this name. Raises Misuse, with the names that there are."""
    if name not in READY_MADE:
        raise Misuse(
            f"there is no ready-made identity {name!r}{did_you_mean(str(name), READY_MADE)} "
            f"(choose from {', '.join(READY_MADE)}; or write Identity.x509(user, *groups))"
        )
    return READY_MADE[name]
