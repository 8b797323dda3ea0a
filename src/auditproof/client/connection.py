"""Requests that are proven: one identity's one connection to an API server. Nothing else sends a judged request.

A urllib3 pool of one connection. Nothing is sent twice, no redirect is followed, headers go out exactly as given, and
every request has its own Audit-ID. The official Kubernetes client does none of that: its methods retry, replace the
User-Agent and drop repeated headers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from urllib3 import HTTPHeaderDict, Timeout, connection_from_url
from urllib3.exceptions import HTTPError
from urllib3.util import create_urllib3_context

from auditproof.client import misbehaving
from auditproof.client.body import JsonObject, json_object
from auditproof.client.https import TlsSocket, path_prefix
from auditproof.errors import WireError

if TYPE_CHECKING:
    from pathlib import Path

    from urllib3 import BaseHTTPResponse

    from auditproof.client.credential import Credential
    from auditproof.kube.action import Request

CONNECT_TIMEOUT_S = 5.0
NOT_SENT = -1
READ_TIMEOUT_S = 65.0  # just above the API server's own --request-timeout of 60 s

_UPGRADES = {
    "websocket": (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "YXVkaXRwcm9vZi1hdWRpdA=="),
    ),
    "spdy": (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")),
}
# What kubectl offers, for exec and attach, and for port-forward (client-go tools/remotecommand, tools/portforward). A
# kubelet takes the first that it knows, which by SPDY is the fourth version.
_CHANNELS = tuple(f"{version}channel.k8s.io" for version in ("v5.", "v4.", "v3.", "v2.", ""))
_PROTOCOLS = {
    "websocket": ("Sec-WebSocket-Protocol", _CHANNELS[:1], ("SPDY/3.1+portforward.k8s.io",)),
    "spdy": ("X-Stream-Protocol-Version", _CHANNELS, ("portforward.k8s.io",)),
}


@dataclass(frozen=True, slots=True)
class Response:
    """The response to one request, read to its end.

    ``status`` is 0 and ``error`` the transport's own message where no complete response came. ``connection`` counts the
    TCP connections of this Connection, so that two responses with the same number came over the same one; it is 0 for
    a client that misbehaves, and NOT_SENT where there was no request. ``audit_id`` is the one that was sent.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    started: datetime
    finished: datetime
    error: str = ""
    audit_id: str = ""

    @property
    def was_sent(self) -> bool:
        """Whether there was a request at all."""
        return self.connection != NOT_SENT

    def header(self, name: str) -> str:
        """The first value of a header, or an empty text."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def message(self) -> str:
        """The message of the server's Status object, else the first 200 bytes of the body."""
        try:
            return str(self.json()["message"])
        except WireError:
            return self.body[:200].decode(errors="replace")

    def json(self) -> JsonObject:
        """Return the body as an object whose missing keys raise WireError. Raises WireError if it is none."""
        return json_object(self.body)


class _Clock:
    """When something began, and how long it has taken since; a jump of the wall clock makes it no longer."""

    def __init__(self) -> None:
        # In this order: a thread that is interrupted between the two makes the span longer, never shorter than it was.
        self._begun = time.monotonic()
        self._started = datetime.now(UTC)

    def span(self) -> tuple[datetime, datetime]:
        """Beginning and end, which is now."""
        return self._started, self._started + timedelta(seconds=time.monotonic() - self._begun)


def sent_agent(request: Request, user_agent: str) -> str:
    """The User-Agent that is sent: the request's own, where it has one, else ``user_agent``."""
    return next((value for name, value in request.headers if name.lower() == "user-agent"), user_agent)


class Connection:
    """One credential's connection to one API server; not to be shared between threads.

    ``url`` is the https base address; its path, if any, precedes every request's path on the way to the server, and the
    proxy that needs it removes it. ``ca`` is the PEM file that verifies the server, None for the system's authorities.
    """

    def __init__(self, url: str, ca: Path | None, credential: Credential) -> None:
        pair = credential.pair
        context = create_urllib3_context()
        context.sslsocket_class = TlsSocket
        if ca is None:
            context.load_default_certs()
        # Not urllib3.PoolManager or ProxyManager: the environment's proxies must not see or change a judged request.
        self._pool = connection_from_url(
            url,
            maxsize=1,
            ssl_context=context,
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(ca) if ca else None,
            cert_file=str(pair[0]) if pair else None,
            key_file=str(pair[1]) if pair else None,
        )
        authorization = (("Authorization", f"Bearer {credential.token}"),) if credential.token else ()
        self._fixed = (*authorization, *credential.headers)
        self._url, self._ca, self._pair = url, ca, pair
        self._prefix = path_prefix(url)

    def send(self, request: Request, *, audit_id: str, user_agent: str) -> Response:
        """Send ``request`` exactly once and read the response to its end, unless its client misbehaves.

        Never raises for what happens on the network: a broken response is a Response with ``error``.
        """
        if request.client:
            return self._misbehave(request, audit_id, user_agent)
        clock = _Clock()
        status, body, error = 0, b"", ""
        headers: tuple[tuple[str, str], ...] = ()
        try:
            # One request, one event: a retry or a redirect would be recorded as well. The body stays as it was sent.
            response = self._pool.urlopen(
                request.method,
                self._prefix + request.uri,
                body=request.body,
                headers=self._headers(request, audit_id, user_agent),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            )
            status, headers = response.status, tuple(response.headers.items())
            body = _read_to_end(response)
        except (HTTPError, OSError) as broken:
            error = f"{type(broken).__name__}: {broken}"
        connection = self._pool.num_connections
        return Response(status, headers, body, connection, *clock.span(), error, audit_id)

    def _misbehave(self, request: Request, audit_id: str, user_agent: str) -> Response:
        """A request whose client hangs up, stalls or stays: on a TCP connection of its own, which is not counted."""
        clock = _Clock()
        headers = self._headers(request, audit_id, user_agent)
        status, answered, body, error = misbehaving.perform(
            self._url, self._ca, self._pair, request, list(headers.iteritems())
        )
        return Response(status, answered, body, 0, *clock.span(), error, audit_id)

    def _headers(self, request: Request, audit_id: str, user_agent: str) -> HTTPHeaderDict:
        headers = HTTPHeaderDict({"Audit-ID": audit_id, "User-Agent": user_agent})
        if sent_agent(request, user_agent) != user_agent:
            headers.pop("User-Agent")  # two would be sent, and the first is the one that is recorded
        for name, value in (*self._fixed, *request.headers, *_UPGRADES.get(request.upgrade, ())):
            headers.add(name, value)
        if request.upgrade:
            # The protocols that kubectl would offer, unless the request names its own.
            name, usual, forwarding = _PROTOCOLS[request.upgrade]
            offered = forwarding if "/portforward" in request.uri else usual
            for protocol in () if name in headers else offered:
                headers.add(name, protocol)
        else:
            headers.setdefault("Accept", "application/json")  # where a kubelet is to stream, it refuses that with 406
        return headers

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()


def _read_to_end(response: BaseHTTPResponse) -> bytes:
    if response.status == 101:  # a switched protocol has no end of its own: the client hangs up
        response.close()
        return b""
    body = response.read()
    response.release_conn()
    return body
