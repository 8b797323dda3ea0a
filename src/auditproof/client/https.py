"""A verified https connection of the standard library, and the TLS socket of every client here."""

from __future__ import annotations

import ssl
from http.client import HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path


class TlsSocket(ssl.SSLSocket):
    """A TLS socket that is closed where its peer resets the connection.

    SSLSocket itself stays open where a server dies between the connection and the handshake: ``wrap_socket`` reads from
    the new socket to see whether it is still connected, and raises without closing it (CPython, Lib/ssl.py, _create).
    """

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive as SSLSocket does. Raises ConnectionError, with the socket closed, where the peer is gone."""
        try:
            return super().recv(buflen, flags)
        except ConnectionError:
            self.close()
            raise


def path_prefix(url: str) -> str:
    """The path of a base address without its last slash, as of a proxy for many clusters; an empty text for none."""
    return urlsplit(url).path.rstrip("/")


def https_connection(url: str, ca: Path | None, pair: tuple[Path, Path] | None, timeout_s: float) -> HTTPSConnection:
    """A connection to host and port of ``url``, which is opened by the first request.

    ``ca`` is the PEM file that verifies the server, None for the system's authorities; ``pair`` is the certificate and
    key of the client (PEM files), None for a client without one. Raises OSError where a file cannot be read or holds no
    PEM.
    """
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    context.sslsocket_class = TlsSocket
    if pair is not None:
        context.load_cert_chain(*pair)
    return HTTPSConnection(urlsplit(url).netloc, timeout=timeout_s, context=context)
