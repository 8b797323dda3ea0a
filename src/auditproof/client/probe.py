"""The admin's plain questions to an API server: one connection each, for what is not proven by it.

Standard library only: a server is asked whether it is ready before the client library is imported.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from auditproof.client.body import JsonObject, json_object
from auditproof.errors import ClusterError, WireError

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 5.0
USER_AGENT = "auditproof/readiness"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server answered."""

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
        """The server's own message, or what it said instead."""
        return str(self.json().get("message") or self.body[:200].decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Connection:
    """Who asks which API server: ``ca`` is the PEM file that verifies it, None for the system's own authorities."""

    url: str
    ca: Path | None
    cert: Path | None = None
    key: Path | None = None
    token: str = ""

    def request(
        self, method: str, path: str, body: Any = None, *, timeout_s: float = TIMEOUT_S, begin: int | None = None
    ) -> Answer:
        """One request and its answer, whatever that is; ``begin`` asks for a file from that byte on.

        Raises ClusterError where none comes.
        """
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json" if begin is None else "*/*"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Range": f"bytes={begin}-"} if begin else {}
        data = None if body is None else json.dumps(body).encode()
        address = urlsplit(self.url)
        connection = http.client.HTTPSConnection(address.netloc, timeout=timeout_s, context=self._context())
        try:
            connection.request(method, f"{address.path.rstrip('/')}{path}", data, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise ClusterError(f"{self.url} does not answer: {method} {path}: {error}") from None
        finally:
            connection.close()

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        return context
