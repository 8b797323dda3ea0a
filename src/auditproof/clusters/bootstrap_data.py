"""The objects that an API server creates in an empty etcd, so that those started after the first find them there.

Every server of a run has an etcd prefix of its own, and each spends a quarter of its start on creating the same default
roles, bindings, namespaces, priorities and APIServices (pkg/registry/rbac/rest/storage_rbac.go,
pkg/controlplane/controller/systemnamespaces and others). With them there, it compares instead, as after a restart.
"""

from __future__ import annotations

import json
import socket
from base64 import b64decode, b64encode
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from auditproof.clusters.pki.x509 import write_whole
from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

# Of one server alone: who it is, and on which port and address it serves.
OF_ONE_SERVER = (
    "/events/",
    "/ipaddresses/",
    "/leases/",
    "/masterleases/",
    "/peerserverleases/",
    "/ranges/",
    "/services/",
)
MOST_AT_ONCE = 100  # etcd takes 128 operations in a transaction (--max-txn-ops)
TIMEOUT_S = 30.0


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))


class BootstrapData:
    """What the first server of a run created, kept in ``file``; ``etcd`` is the socket of the run's etcd.

    Speaks JSON to etcd (its gRPC gateway, api/etcdserverpb/rpc.proto), in which keys and values are in base64.
    """

    def __init__(self, etcd: Path, file: Path) -> None:
        self._etcd, self._file = etcd, file

    def copy_to(self, prefix: str) -> None:
        """Create the objects under ``prefix``, where no server has been started yet; nothing if none are kept so far.

        Raises ClusterError if etcd refuses.
        """
        if not self._file.is_file():
            return
        kept: dict[str, str] = json.loads(self._file.read_text())
        puts = [{"requestPut": {"key": _encoded(prefix + key), "value": value}} for key, value in kept.items()]
        for begin in range(0, len(puts), MOST_AT_ONCE):
            self._call("/v3/kv/txn", {"success": puts[begin : begin + MOST_AT_ONCE]})

    def keep_from(self, prefix: str) -> None:
        """Keep the objects that a server has created under ``prefix``: it is ready, and no one else has used it.

        Raises ClusterError if etcd refuses.
        """
        if self._file.is_file():
            return
        # Everything that begins with "/name/": up to the key in which the last slash is the next character.
        found = self._call("/v3/kv/range", {"key": _encoded(f"{prefix}/"), "range_end": _encoded(f"{prefix}0")})
        pairs = ((b64decode(pair["key"]).decode().removeprefix(prefix), pair["value"]) for pair in found["kvs"])
        kept = {key: value for key, value in pairs if not key.startswith(OF_ONE_SERVER)}
        write_whole(self._file, json.dumps(kept).encode())

    def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = _UnixConnection(self._etcd)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        except (OSError, HTTPException) as error:
            raise ClusterError(f"etcd does not respond to {path}: {error}") from None
        finally:
            connection.close()
        if response.status != 200:
            raise ClusterError(f"etcd responds to {path} with {response.status}: {text.decode(errors='replace')}")
        data: dict[str, Any] = json.loads(text)
        return data


def _encoded(key: str) -> str:
    return b64encode(key.encode()).decode()
