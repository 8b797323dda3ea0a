"""The objects that an API server creates in an empty etcd, so that those started after the first find them there.

Every server of a run has an etcd prefix of its own, and each spends a quarter of its start on creating the same default
roles, bindings, namespaces, priorities and APIServices (pkg/registry/rbac/rest/storage_rbac.go,
pkg/controlplane/controller/systemnamespaces and others). With them there, it compares instead, as after a restart.

The first server of a run finds there what a server of an earlier run has created, with the same program and the same
flags: next to that program, in the cache, in a file that only this user's auditproof can have written.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from base64 import b64decode, b64encode
from contextlib import suppress
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from auditproof.clusters.binaries.store import read_note
from auditproof.clusters.pki.x509 import write_whole
from auditproof.errors import AuditproofError, ClusterError
from auditproof.seal import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Mapping
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
# Of one run alone: the certificate of its authority, and the day since when tokens are counted.
OF_ONE_RUN = ("/configmaps/",)
_PURPOSE = b"auditproof bootstrap data 1\n"
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


def file_in_cache(kube_apiserver: Path, flags: Mapping[str, str]) -> Path | None:
    """Where to keep what a server of this program creates with the ``flags`` of a profile; None outside of the cache.

    The name changes with the program and with all that may lead to other objects. Raises OSError.
    """
    folder, found = kube_apiserver.parent, kube_apiserver.stat()
    if read_note(folder) is None:
        return None
    variables = sorted(item for item in os.environ.items() if item[0].startswith(("KUBE_", "GODEBUG")))
    of = json.dumps([found.st_size, found.st_mtime_ns, sorted(flags.items()), variables])
    return folder / f"bootstrap-{hashlib.sha256(of.encode()).hexdigest()[:16]}.sealed"


class BootstrapData:
    """What the first server of a run created, kept in ``file``; ``etcd`` is the socket of the run's etcd.

    ``earlier`` is the file in the cache with what a server of an earlier run created, or will have it. Speaks JSON to
    etcd (its gRPC gateway, api/etcdserverpb/rpc.proto), in which keys and values are in base64.
    """

    def __init__(self, etcd: Path, file: Path, earlier: Path | None) -> None:
        self._etcd, self._file, self._earlier = etcd, file, earlier

    def copy_to(self, prefix: str) -> None:
        """Create the objects under ``prefix``, where no server has been started yet; nothing if none are kept so far.

        Raises ClusterError if etcd refuses.
        """
        kept = json.loads(self._file.read_text()) if self._file.is_file() else self._of_earlier_run
        puts = [{"requestPut": {"key": _encoded(prefix + key), "value": value}} for key, value in kept.items()]
        for begin in range(0, len(puts), MOST_AT_ONCE):
            self._call("/v3/kv/txn", {"success": puts[begin : begin + MOST_AT_ONCE]})

    @cached_property
    def _of_earlier_run(self) -> dict[str, str]:
        """What is kept in the cache; nothing where that cannot be relied on: then the server creates everything."""
        with suppress(OSError, AuditproofError):
            if self._earlier is not None:
                kept: dict[str, str] = json.loads(read_sealed(self._earlier, _PURPOSE))
                return kept
        return {}

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
        if self._earlier is not None and not self._of_earlier_run:
            for_later = {key: value for key, value in kept.items() if not key.startswith(OF_ONE_RUN)}
            with suppress(OSError, AuditproofError):  # it saves time, and nothing else
                write_sealed(self._earlier, json.dumps(for_later).encode(), _PURPOSE)

    def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = _UnixConnection(self._etcd)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            with connection.getresponse() as response:
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
