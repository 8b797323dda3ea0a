"""Other people's requests on the same server, while the prover works: at every level, and at none."""

from __future__ import annotations

import http.client
import ssl
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from auditproof.clusters.pki import x509 as pki

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from auditproof.clusters.cluster import Cluster

PAUSE_S = 0.01
PATHS = (
    "/version",
    "/healthz/ping",
    "/no/such/path",
    "/api/v1/namespaces/gauntlet/configmaps/colours",
    "/api/v1/namespaces/gauntlet/secrets/db",
    "/api/v1/namespaces/default/pods",
)


class Noise:
    """Sends requests as alice and as somebody else, from its beginning until it is closed."""

    def __init__(self, cluster: Cluster, folder: Path, random: Random) -> None:
        files = cluster.authorities.client
        assert files is not None
        authority = pki.Authority.load(files.certificate, files.key)
        self._pairs = [
            authority.client("alice", ["dev"]).write(folder, "noise-alice"),
            authority.client("stranger").write(folder, "noise-stranger"),
        ]
        self._cluster, self._random = cluster, random
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(pair, random.random())) for pair in self._pairs]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop; all that was sent is answered then."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, pair: tuple[Path, Path], phase: float) -> None:
        context = ssl.create_default_context(cafile=str(self._cluster.ca))
        context.load_cert_chain(*pair)
        target = urlsplit(self._cluster.url)
        assert target.hostname is not None
        connection = http.client.HTTPSConnection(target.hostname, target.port, timeout=10, context=context)
        turn = int(phase * len(PATHS))
        while not self._end.wait(PAUSE_S):
            try:
                connection.request("GET", PATHS[turn % len(PATHS)], headers={"User-Agent": "noise"})
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):  # a server that is paused
                connection.close()
            turn += 1
        connection.close()
