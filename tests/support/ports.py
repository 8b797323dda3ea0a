"""Ports of loopback for the servers that tests start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listens(port: int) -> bool:
    """Whether a server accepts connections there."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
