"""Writing a kubeconfig: one cluster, one user, one context. Reading one is existing.kubeconfig."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from auditproof.clusters.pki.x509 import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from auditproof.client.credential import Credential

NAME = "auditproof"  # of cluster, user and context


def write_kubeconfig(path: Path, url: str, ca: Path | None, credential: Credential, *, embed: bool = False) -> Path:
    """Write a kubeconfig (0600) for the server at ``url`` and return its path.

    ``ca`` is the PEM file that verifies the server, None for the system's authorities. Files are named by their paths;
    ``embed`` puts their content into the kubeconfig instead, which another machine can use then. Raises OSError.
    Source of the form: k8s.io/client-go tools/clientcmd/api/v1/types.go.
    """
    files = {"client-certificate": credential.cert, "client-key": credential.key}
    user = {**_files(files, embed), **({"token": credential.token} if credential.token else {})}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": {"server": url, **_files({"certificate-authority": ca}, embed)}}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
    }
    # JSON is YAML, so every client can read it.
    write_private(path, json.dumps(config, indent=1).encode())
    return path


def _files(named: Mapping[str, Path | None], embed: bool) -> dict[str, str]:
    found = {key: path for key, path in named.items() if path is not None}
    if embed:
        return {f"{key}-data": base64.b64encode(path.read_bytes()).decode() for key, path in found.items()}
    return {key: str(path) for key, path in found.items()}
