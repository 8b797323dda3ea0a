"""The process that embedded API servers ask (see issuer_and_webhooks): started once a run, with its flags."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.clusters.pki import jwt as oidc
from auditproof.clusters.pki import x509 as pki
from auditproof.clusters.run.readiness import START_TIMEOUT_S, wait_ready
from auditproof.clusters.stand_ins import issuer_and_webhooks
from auditproof.kube.identity import OIDC_AUDIENCE, OIDC_EXTRA, OIDC_PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.run.run_directory import RunDirectory

LABEL = "callback"
LOG = "callback.log"
ISSUER_KEY = "issuer.key"  # in the folder of the run's keys


@dataclass(frozen=True, slots=True)
class Callback:
    """The address of the process, and the flags by which an API server believes its tokens."""

    url: str
    flags: dict[str, str]


def start_callback(run: RunDirectory, keys: Path, authority: pki.Authority) -> Callback:
    """Start it, unless this run has; ``authority`` signs its certificates, ``keys`` takes the issuer's key.

    Raises ServerDied or ClusterError where it does not start.
    """
    folder = run.path / LABEL
    url = folder / issuer_and_webhooks.URL_FILE
    settings = folder / "authentication.json"

    def start() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        authority.server("auditproof-callback").write(folder, "server")
        authority.nameless(issuer_and_webhooks.NAMELESS_HOST).write(folder, "nameless")
        private, public = pki.signing_key()
        pki.write_private(keys / ISSUER_KEY, private)
        pki.write_private(folder / "jwks.json", json.dumps(oidc.key_set(public)).encode())
        log = run.path / LOG
        pid = run.start(LABEL, [sys.executable, "-I", "-S", issuer_and_webhooks.__file__, str(folder)], log)
        wait_ready(url.exists, pid, log, "the issuer and webhooks", START_TIMEOUT_S, {})
        configuration = _authentication(url.read_text(), authority)
        # Last: to other processes of the run this file shows that the stand-in is running (run.once).
        pki.write_whole(settings, json.dumps(configuration, indent=1).encode())

    run.once(LABEL, settings, start)
    return Callback(url.read_text(), {"authentication-config": str(settings)})


def _authentication(url: str, authority: pki.Authority) -> dict[str, Any]:
    """An AuthenticationConfiguration (k8s.io/apiserver pkg/apis/apiserver/v1beta1)."""
    mappings = {
        "username": {"claim": "sub", "prefix": OIDC_PREFIX},
        "groups": {"claim": "groups", "prefix": OIDC_PREFIX},
        "uid": {"expression": "has(claims.uid) ? claims.uid : ''"},
        "extra": [{"key": OIDC_EXTRA, "valueExpression": "has(claims.team) ? claims.team : []"}],
    }
    certificate = authority.pair().certificate.decode()
    issuer = {"url": url, "audiences": [OIDC_AUDIENCE], "certificateAuthority": certificate}
    return {
        "apiVersion": "apiserver.config.k8s.io/v1beta1",
        "kind": "AuthenticationConfiguration",
        "jwt": [{"issuer": issuer, "claimMappings": mappings}],
    }
