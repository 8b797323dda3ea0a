"""A verified https connection of the standard library: the one place that makes a TLS context."""

from __future__ import annotations

import ssl
from http.client import HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path


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
    if pair is not None:
        context.load_cert_chain(*pair)
    return HTTPSConnection(urlsplit(url).netloc, timeout=timeout_s, context=context)
