"""A way to the node that misbehaves: it stands between an API server and the stand-in kubelet, behind a unix socket.

The API server opens every connection to a node or pod through it, by CONNECT (see clusters/stand_ins/kubelet.py).
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import struct
import threading
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("resets", "refuses", "hangs", "500", "half", "slow")
HANG_S = 0.8
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Way(socketserver.ThreadingUnixStreamServer):
    """Listens on ``path``; ``onward`` is the stand-in's own socket, ``keys`` has the kubelet's certificate.

    ``kind`` is what happens to ``chance`` of the connections; none where it is empty.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: Path, onward: Path, keys: Path) -> None:
        super().__init__(str(path), _Connection)
        self.onward, self._keys = onward, keys
        self.kind, self._chance, self._random = "", 0.0, Random(0)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def script(self, kind: str, chance: float, seed: str) -> None:
        """What happens to the connections of one run."""
        self.kind, self._chance, self._random = kind, chance, Random(seed)

    def turn(self) -> str:
        """What happens to the next connection."""
        return self.kind if self._random.random() < self._chance else ""

    def tls(self) -> ssl.SSLContext:
        """The TLS of the kubelet."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._keys / "kubelet.crt", self._keys / "kubelet.key")
        return context

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


def selection(path: Path) -> str:
    """The egress selector configuration that leads an API server through a unix socket."""
    connection = {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": str(path)}}}
    kind = {"apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration"}
    return json.dumps({**kind, "egressSelections": [{"name": "cluster", "connection": connection}]})


class _Connection(socketserver.StreamRequestHandler):
    server: Way

    def handle(self) -> None:
        """Lead one connection onward, or not."""
        head = self.rfile.readline()
        while (line := self.rfile.readline()).strip():
            head += line
        turn = self.server.turn()
        with contextlib.suppress(OSError):
            if turn == "refuses":
                self.wfile.write(b"HTTP/1.1 502 refused\r\n\r\n")
            elif turn == "resets":
                self._established()
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            elif turn == "hangs":
                self._established()
                threading.Event().wait(HANG_S)
            elif turn == "500":
                self._answer()
            else:
                self._pass_on(head, turn)

    def _established(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def _answer(self) -> None:
        """What a kubelet says that is broken."""
        self._established()
        with self.server.tls().wrap_socket(self.request, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n")

    def _pass_on(self, head: bytes, turn: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as onward:
            onward.connect(str(self.server.onward))
            onward.sendall(head + b"\r\n")
            if turn == "slow":
                threading.Event().wait(HANG_S)
            threading.Thread(target=_copy, args=(self.rfile, onward), daemon=True).start()
            left = 2500 if turn == "half" else 1 << 40  # bytes: within the answer that comes after the TLS handshake
            while left > 0 and (chunk := onward.recv(min(left, 65536))):
                self.request.sendall(chunk)
                left -= len(chunk)


def _copy(source: object, sink: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while chunk := source.read1(65536):  # type: ignore[attr-defined]
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
