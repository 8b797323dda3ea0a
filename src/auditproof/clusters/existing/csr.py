"""Client certificates by the CertificateSigningRequest API, for clusters whose authority's key is not available.

Source: staging/src/k8s.io/api/certificates/v1/types.go. The signer kubernetes.io/kube-apiserver-client makes
certificates that the API server accepts; it refuses the group system:masters
(plugin/pkg/admission/certificates/subjectrestriction). Five plain requests, on the admin's connection.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from auditproof.clusters.existing.cleanup import labels
from auditproof.clusters.existing.preflight import SIGNER
from auditproof.clusters.pki import x509 as pki
from auditproof.errors import ClusterError
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.client.probe import Probe

COLLECTION = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
SIGN_TIMEOUT_S = 60.0  # a controller signs, which on a busy machine may be late
EXPIRATION_S = 3600  # such a certificate cannot be revoked; its key is gone when the run ends


def issue(probe: Probe, run: str, name: str, user: str, groups: Sequence[str] = (), uid: str = "") -> pki.KeyPair:
    """A client certificate for ``user``, requested, approved and taken; the request is labelled by ``run``.

    Raises ClusterError with the server's message where it refuses, or where no signer issues one in time.
    """
    request, key = pki.certificate_request(user, groups, uid)
    answer = probe.request("POST", COLLECTION, _signing_request(f"auditproof-{run}-{name}", run, request))
    if answer.status != 201:
        raise ClusterError(f"POST {COLLECTION} was answered {answer.status}: {answer.message}")
    path = f"{COLLECTION}/auditproof-{run}-{name}"
    try:
        _approve(probe, path)
        certificate = wait_until(
            lambda: _certificate(probe, path),
            what=f"the signer {SIGNER} to issue a certificate for {user}",
            timeout_s=SIGN_TIMEOUT_S,
            pause_s=0.05,
        )
    except TimedOut as error:
        raise ClusterError(str(error)) from None
    finally:
        # The certificate is taken, or never comes: on a shared cluster nothing is left behind.
        probe.request("DELETE", path)
    return pki.KeyPair(certificate, key)


def signer_answers(probe: Probe, run: str) -> bool:
    """Whether the signer issues client certificates; probes with a throw-away user."""
    try:
        issue(probe, run, "probe", "auditproof-probe")
    except ClusterError:
        return False
    return True


def _signing_request(name: str, run: str, request: bytes) -> dict[str, Any]:
    spec = {
        "request": base64.b64encode(request).decode(),
        "signerName": SIGNER,
        "usages": ["client auth"],
        "expirationSeconds": EXPIRATION_S,
    }
    metadata = {"name": name, "labels": labels(run)}
    kind = "CertificateSigningRequest"
    return {"apiVersion": "certificates.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _approve(probe: Probe, path: str) -> None:
    signing_request = probe.request("GET", path).json()
    condition = {
        "type": "Approved",
        "status": "True",
        "reason": "auditproof",
        "message": "an identity of an audit conformance run",
    }
    signing_request["status"] = {"conditions": [condition]}
    answer = probe.request("PUT", f"{path}/approval", signing_request)
    if answer.status != 200:
        raise ClusterError(f"PUT {path}/approval was answered {answer.status}: {answer.message}")


def _certificate(probe: Probe, path: str) -> bytes | None:
    status = probe.request("GET", path).json().get("status", {})
    for condition in status.get("conditions", ()):
        if condition["type"] in ("Failed", "Denied"):
            raise ClusterError(f"the signer {SIGNER} refuses: {condition.get('message', condition['type'])}")
    return base64.b64decode(status["certificate"]) if status.get("certificate") else None
