"""Clients that do not just send a request and read the response: they hang up, stall, or stay to the end of a stream.

Done with the standard library's client, whose connection may be ended at any moment. A client hangs up by ending its
side only, and goes when the server does: closing both at once could lose what the server has not read yet.
"""

from __future__ import annotations

import http.client
import socket
import threading
from typing import TYPE_CHECKING, Literal

from auditproof.client.https import https_connection, path_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from auditproof.kube.action import Request

ClientBehaviour = Literal["", "hangsUpInRequest", "hangsUpWaiting", "hangsUpInAnswer", "stalls", "stays"]
NEEDS_BODY = {"hangsUpInRequest", "stalls"}
WAITS_S = 0.3  # how long a client waits for a response before it hangs up
STALLS_S = 5.0  # how long it holds back the end of its body; no response comes before that (net/http reads on first)
TIMEOUT_S = 65.0  # just above the API server's own --request-timeout of 60 s

# Status, headers, body, and what went wrong that was not meant to; empty text where nothing did.
Answer = tuple[int, tuple[tuple[str, str], ...], bytes, str]


def perform(
    url: str, ca: Path | None, pair: tuple[Path, Path] | None, request: Request, headers: Iterable[tuple[str, str]]
) -> Answer:
    """Send ``request`` once, as its ``client`` says, on a connection of its own that is closed at the end.

    ``pair`` is the client's certificate and key (PEM files), if it has any; ``headers`` are sent as they are. The
    status is 0 where the client did not stay for it. Never raises for what happens on the network.
    """
    connection = https_connection(url, ca, pair, TIMEOUT_S)
    try:
        _send(connection, path_prefix(url) + request.uri, request, headers)
        return _behave(connection, request)
    except (OSError, http.client.HTTPException) as broken:
        return 0, (), b"", f"{type(broken).__name__}: {broken}"
    finally:
        connection.close()


def _send(
    connection: http.client.HTTPConnection, uri: str, request: Request, headers: Iterable[tuple[str, str]]
) -> None:
    body = request.body or b""
    # http.client would add a header that the case does not name.
    connection.putrequest(request.method, uri, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if request.body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    if request.client == "hangsUpInRequest":
        connection.send(body[: len(body) // 2])
    elif request.client == "stalls":
        connection.send(body[:-1])
        threading.Event().wait(STALLS_S)
        connection.send(body[-1:])
    elif body:
        connection.send(body)


def _behave(connection: http.client.HTTPConnection, request: Request) -> Answer:
    if request.client == "hangsUpInRequest":
        return _hang_up(connection)
    if request.client == "hangsUpWaiting":
        connection.sock.settimeout(WAITS_S)
        try:
            with connection.getresponse() as answer:
                return 0, (), b"", f"it was answered {answer.status} before the client had waited {WAITS_S:g} s for it"
        except TimeoutError:
            return _hang_up(connection)
    # Closed by itself: after "Connection: close" it holds the socket, which the connection does not close then.
    with connection.getresponse() as answer:
        head = answer.status, tuple(answer.getheaders())
        if request.client == "hangsUpInAnswer":
            return *head, b"", ""
        if answer.status == http.client.SWITCHING_PROTOCOLS:
            _drain(connection.sock)
            return *head, b"", ""
        return *head, answer.read(), ""


def _hang_up(connection: http.client.HTTPConnection) -> Answer:
    # Half closed, and read to the end: the server closes its half once it has noticed.
    connection.sock.shutdown(socket.SHUT_WR)
    connection.sock.settimeout(TIMEOUT_S)
    _drain(connection.sock)
    return 0, (), b"", ""


def _drain(sock: socket.socket) -> None:
    """Read until the server ends the connection, in whatever way."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
