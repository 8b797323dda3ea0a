"""A port of loopback that is reserved before the server that is to listen there starts."""

from __future__ import annotations

import socket

LOOPBACK = "127.0.0.1"


def reserve_port() -> socket.socket:
    """A socket that is bound to a free port and does not listen; close it when the port is no longer needed.

    The system gives the port to no other process meanwhile. A server that sets SO_REUSEPORT, too, can listen there
    (kube-apiserver: --permit-port-sharing).
    """
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((LOOPBACK, 0))
    return reserved
