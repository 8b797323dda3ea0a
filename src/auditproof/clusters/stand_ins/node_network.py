"""The cluster network of an embedded cluster: started once a run, and the flags that lead an API server into it."""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING

from auditproof.clusters.pki import x509 as pki
from auditproof.clusters.run.readiness import START_TIMEOUT_S, wait_ready
from auditproof.clusters.stand_ins import kubelet
from auditproof.clusters.stand_ins.node import NODE_ADDRESS
from auditproof.kube.identity import MASTERS

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.run.run_directory import RunDirectory

LABEL = "kubelet"
LOG = "kubelet.log"
SOCKET = "network.sock"
_EGRESS = "egress.json"


def write_network_keys(folder: Path, authority: pki.Authority) -> None:
    """Write the certificates of kubelet and API server for each other into ``folder``."""
    authority.server("stand-in-kubelet", NODE_ADDRESS).write(folder, "kubelet")
    authority.client("kube-apiserver-kubelet-client", [MASTERS]).write(folder, "kubelet-client")


def start_network(run: RunDirectory, keys: Path) -> dict[str, str]:
    """Start the stand-in, unless this run has; return the flags by which an API server talks to it.

    Raises ServerDied or ClusterError where it does not start.
    """
    path = run.path / SOCKET

    def start() -> None:
        path.unlink(missing_ok=True)
        files = [str(keys / name) for name in ("kubelet.crt", "kubelet.key", "ca.crt")]
        command = [sys.executable, "-I", "-m", kubelet.__name__, str(path), *files]
        pid = run.start(LABEL, command, run.path / LOG)
        wait_ready(lambda: accepts(path), pid, run.path / LOG, "the stand-in kubelet", START_TIMEOUT_S, {})
        # Everything in the cluster network goes through the socket (k8s.io/apiserver pkg/apis/apiserver/v1beta1).
        transport = {"uds": {"udsName": str(path)}}
        cluster = {"name": "cluster", "connection": {"proxyProtocol": "HTTPConnect", "transport": transport}}
        kind = {"apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration"}
        # Last: to other processes of the run this file shows that the stand-in is running (run.once).
        pki.write_whole(keys / _EGRESS, json.dumps({**kind, "egressSelections": [cluster]}).encode())

    run.once(LABEL, keys / _EGRESS, start)
    return {
        "egress-selector-config-file": str(keys / _EGRESS),
        "kubelet-certificate-authority": str(keys / "ca.crt"),
        "kubelet-client-certificate": str(keys / "kubelet-client.crt"),
        "kubelet-client-key": str(keys / "kubelet-client.key"),
        "kubelet-preferred-address-types": "InternalIP",
    }


def accepts(path: Path) -> bool:
    """Whether a process listens on a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        return client.connect_ex(str(path)) == 0
