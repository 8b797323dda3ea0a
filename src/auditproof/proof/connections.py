"""The connections of a prover: one kept per identity and lane, and further ones for requests that need their own."""

from __future__ import annotations

import secrets
from itertools import count
from typing import TYPE_CHECKING

from auditproof.client.connection import Connection

if TYPE_CHECKING:
    from auditproof.clusters.cluster import Cluster
    from auditproof.kube.identity import Identity
    from auditproof.setup.credentials import Credentials


class Connections:
    """Opens connections to one cluster, and names the requests that are sent over them.

    ``run`` is in every Audit-ID and User-Agent, so that no two provers ever send the same.
    """

    def __init__(self, cluster: Cluster, credentials: Credentials) -> None:
        self._cluster, self._credentials = cluster, credentials
        self._kept: dict[tuple[Identity, int], Connection] = {}
        self.run, self._numbers = f"auditproof-{secrets.token_hex(6)}", count(1)

    def new(self, identity: Identity) -> Connection:
        """A separate connection, which the caller closes."""
        return Connection(self._cluster.url, self._cluster.ca, self._credentials.of(identity))

    def of(self, identity: Identity, lane: int = 0) -> Connection:
        """The connection kept for ``identity`` in a lane; opened by the first call. Each thread has its own lane."""
        if (identity, lane) not in self._kept:
            self._kept[identity, lane] = self.new(identity)
        return self._kept[identity, lane]

    def next_id(self) -> str:
        """An Audit-ID that no other request has; from any thread."""
        return f"{self.run}-{next(self._numbers)}"

    def drop(self, used: set[Connection]) -> None:
        """Close the connections in ``used`` that are not kept."""
        for wire in used - set(self._kept.values()):
            wire.close()

    def close(self) -> None:
        """Close every kept connection."""
        for wire in self._kept.values():
            wire.close()
