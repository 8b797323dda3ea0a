"""The admin's plain questions to an API server, of which nothing is proven.

Standard library only, without an Audit-ID and without a promise to ask once: readiness, discovery, clean-up.
"""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from auditproof.client.body import JsonObject, json_object
from auditproof.client.credential import NO_CREDENTIAL, Credential
from auditproof.client.https import https_connection, path_prefix
from auditproof.errors import ClusterError, WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPSConnection
    from pathlib import Path

TIMEOUT_S = 5.0
USER_AGENT = "auditproof/readiness"


@dataclass(frozen=True, slots=True)
class Answer:
    """The response of the API server: HTTP status and the whole body."""

    status: int
    body: bytes

    def json(self) -> JsonObject:
        """Return the body as an object whose missing keys raise WireError; an empty one if it is none."""
        try:
            return json_object(self.body)
        except WireError:
            return JsonObject()

    @property
    def message(self) -> str:
        """The message of the server's Status object, else the first 200 bytes of the body."""
        return str(self.json().get("message") or self.body[:200].decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks the API server at ``url`` (https base address) as one user.

    ``ca`` is the PEM file that verifies the server, None for the system's authorities.
    """

    url: str
    ca: Path | None
    credential: Credential = NO_CREDENTIAL

    def request(
        self, method: str, path: str, body: Any = None, *, timeout_s: float = TIMEOUT_S, begin: int | None = None
    ) -> Answer:
        """Send one request and return the response, whatever its status.

        ``path`` is path and query; ``body`` is sent as JSON; ``begin`` asks for a file from that byte on (a Range
        header). Raises ClusterError where no response comes within ``timeout_s`` seconds for each read, and for
        certificates that are none.
        """
        with self._connection(timeout_s) as connection:
            return self._ask(connection, method, path, body, begin)

    @contextmanager
    def repeatedly(self, timeout_s: float = TIMEOUT_S) -> Iterator[Callable[[str], Answer]]:
        """A function that asks for a path, as ``request`` does, over one connection; a lost one is opened again.

        A server that starts is asked some twenty times, and a TLS handshake costs both sides much more than a question.
        """
        with self._connection(timeout_s) as connection:

            def get(path: str) -> Answer:
                try:
                    return self._ask(connection, "GET", path)
                except ClusterError:
                    connection.close()
                    raise

            yield get

    def _connection(self, timeout_s: float) -> closing[HTTPSConnection]:
        try:
            return closing(https_connection(self.url, self.ca, self.credential.pair, timeout_s))
        except (OSError, HTTPException) as error:
            raise ClusterError(f"{self.url}: its address or the certificates for it are invalid: {error}") from None

    def _ask(
        self, connection: HTTPSConnection, method: str, path: str, body: Any = None, begin: int | None = None
    ) -> Answer:
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json" if begin is None else "*/*"}
        headers |= {"Authorization": f"Bearer {self.credential.token}"} if self.credential.token else {}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Range": f"bytes={begin}-"} if begin else {}
        data = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path_prefix(self.url) + path, data, headers)
            with connection.getresponse() as response:
                return Answer(response.status, response.read())
        except (OSError, HTTPException) as error:
            raise ClusterError(f"{self.url} does not answer: {method} {path}: {error}") from None
