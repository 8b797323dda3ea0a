"""A kubeconfig that cannot be used is an error without a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.existing.kubeconfig import load_kubeconfig
from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443", %s}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {%s}}]
"""


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ("certificate-authority-data: Zm9v", "token: t"),
        ("extensions: []", "client-certificate-data: Zm9v, client-key-data: Zm9v"),
    ],
    ids=["authority", "client"],
)
def test_certificates_that_are_none_are_told(tmp_path: Path, cluster: str, user: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG % (cluster, user))

    probe = load_kubeconfig(path, "", tmp_path)

    with pytest.raises(ClusterError, match=r"https://127.0.0.1:6443: its address or the certificates for it are .*"):
        probe.request("GET", "/livez")


def test_a_token_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG % ("extensions: []", "token: t"))

    assert load_kubeconfig(path, "", tmp_path).credential.token == "t"
