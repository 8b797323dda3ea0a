"""A stand-in for a node: a kubelet and pods that answer, and run no container. A process of its own, standard library.

The API server's own way to the nodes leads here: an egress selector has it dial everything in the cluster network by
CONNECT over one unix socket (k8s.io/apiserver pkg/server/egressselector). So there is no port, and the node and its
pods can have addresses that no machine has: the API server refuses to proxy to loopback.
What goes elsewhere (a webhook, an aggregated API) is passed on.

    python -m auditproof.clusters.stand_ins.kubelet SOCKET CERTIFICATE KEY CLIENT_AUTHORITY
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import socketserver
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

from auditproof.clusters.stand_ins import spdy
from auditproof.clusters.stand_ins.node import CONTAINER, NETWORK, PORT

SUCCESS = json.dumps({"metadata": {}, "status": "Success"}).encode()
OUTPUT = b"this is a stand-in: no container runs here\n"
WEBSOCKET_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
CLOSED = b"\x88\x02\x03\xe8"  # a close frame, status 1000
STREAMS = {"exec", "attach", "portForward"}


class Kubelet(BaseHTTPRequestHandler):
    """The kubelet's own server: logs, exec, attach, port-forward; anything else is answered 200.

    Source of paths, queries and refusals: pkg/kubelet/server/server.go. It runs every pod's container CONTAINER; what
    another container is asked for is refused as the kubelet does where a container does not run.
    """

    protocol_version = "HTTP/1.1"
    server_version = "stand-in-kubelet"

    def answer(self) -> None:
        """Answer one request, whatever its method."""
        parts = urlsplit(self.path)
        verb, *where = parts.path.strip("/").split("/")
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if verb == "containerLogs" and where[-1] != CONTAINER:
            self._say(400, f'container "{where[-1]}" is waiting to start: image can\'t be pulled'.encode())
        elif verb == "containerLogs":
            self._log(follow="follow" in parse_qs(parts.query))
        elif verb in STREAMS and verb != "portForward" and where[-1] != CONTAINER:
            self._say(500, f'container not found ("{where[-1]}")'.encode())
        elif verb in STREAMS:
            wanted = self.headers.get("Upgrade", "").lower()
            if wanted == "websocket":
                self._websocket(verb)
            elif wanted == "spdy/3.1":
                self._spdy(verb)
            else:
                self._say(400, b"unable to upgrade: missing upgrade headers in request\n")
        else:
            self._say(200, b"ok\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Nothing is logged: the API server's audit log is what matters here."""

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def _log(self, *, follow: bool) -> None:
        """The log; a log that is followed ends when its client disconnects."""
        if not follow:
            return self._say(200, OUTPUT)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(f"{len(OUTPUT):x}\r\n".encode() + OUTPUT + b"\r\n")
        self._until_hung_up()
        return None

    def _until_hung_up(self) -> None:
        self.close_connection = True
        while self.rfile.read1(65536):
            pass

    def _switch(self, protocol: str, headers: dict[str, str]) -> None:
        self.send_response(101)
        for name, value in {"Connection": "Upgrade", "Upgrade": protocol, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _websocket(self, verb: str) -> None:
        """What the API server passes on as it is: all WebSockets since 1.36, before that those of older protocols."""
        key = self.headers.get("Sec-WebSocket-Key", "") + WEBSOCKET_KEY
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
        offered = self.headers.get("Sec-WebSocket-Protocol", "").split(",")[0].strip()
        self._switch("websocket", {"Sec-WebSocket-Accept": accept, "Sec-WebSocket-Protocol": offered})
        if verb == "exec":
            # Binary frames of RFC 6455; the first byte of the payload is the channel: 1 is stdout, 3 the status.
            frames = [bytes([0x82, len(text) + 1, channel]) + text for channel, text in ((1, OUTPUT), (3, SUCCESS))]
            self.wfile.write(b"".join(frames) + CLOSED)
            self.close_connection = True
        else:
            self._until_hung_up()

    def _spdy(self, verb: str) -> None:
        offered = self.headers.get("X-Stream-Protocol-Version", "").split(",")[0].strip()
        self._switch("SPDY/3.1", {"X-Stream-Protocol-Version": offered})
        query = parse_qs(urlsplit(self.path).query)
        # A client opens the error stream in any case, and one for each of stdin, stdout and stderr in its query.
        session = _Session(self.wfile.write, verb, 1 + sum(key in query for key in ("input", "output", "error")))
        self.close_connection = True
        spdy.serve(self.rfile, self.wfile.write, session.opened)  # type: ignore[arg-type]  # http.server types its files loosely


class _Session:
    """One exec, attach or port-forward over SPDY: a command ends once all of its streams are there."""

    def __init__(self, send: Any, verb: str, expected: int) -> None:
        self._send, self._verb, self._expected = send, verb, expected
        self._streams: dict[str, int] = {}

    def opened(self, stream: int, kind: str) -> None:
        self._streams[kind] = stream
        if self._verb == "exec" and len(self._streams) == self._expected:
            for name, text in (("stdout", OUTPUT), ("stderr", b""), ("error", SUCCESS)):
                if name in self._streams:
                    self._send(spdy.data(self._streams[name], text, spdy.FIN))


class Application(Kubelet):
    """What listens in a pod: it responds to everything with 200."""

    def answer(self) -> None:
        """Answer one request."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._say(200, b"ok\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 - http.server's names


class Way(socketserver.StreamRequestHandler):
    """One connection of the API server's into the cluster network, opened by CONNECT."""

    server: Network

    def handle(self) -> None:
        """Lead the connection to the node, to a pod, or out."""
        target = self.rfile.readline().split()[1].decode()
        # The headers of the CONNECT request.
        while self.rfile.readline().strip():
            pass
        host, _, port = target.rpartition(":")
        with contextlib.suppress(OSError):  # the client has hung up
            self._lead(host.strip("[]"), int(port))

    def _lead(self, host: str, port: int) -> None:
        if not _is_ours(host):
            self._pass_on(host, port)
            return
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if port != PORT:
            Application(self.request, (host, port), self.server)
            return
        with self.server.tls.wrap_socket(self.request, server_side=True) as secured:
            Kubelet(secured, (host, port), self.server)

    def _pass_on(self, host: str, port: int) -> None:
        try:
            out = socket.create_connection((host, port), timeout=10)
        except OSError as error:
            self.wfile.write(f"HTTP/1.1 502 {error.strerror or 'cannot connect'}\r\n\r\n".encode())
            return
        out.settimeout(None)
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with out:
            threading.Thread(target=_copy, args=(out, self.request), daemon=True).start()
            _copy(self.request, out)


def _is_ours(host: str) -> bool:
    try:
        return ip_address(host) in ip_network(NETWORK)
    except ValueError:
        return False  # a name


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)


class Network(socketserver.ThreadingUnixStreamServer):
    """The cluster network, behind one unix socket."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: str, tls: ssl.SSLContext) -> None:
        super().__init__(path, Way)
        self.tls = tls

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is the API server's business, not a fault."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _main() -> None:
    path, certificate, key, authority = sys.argv[1:]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    tls.load_verify_locations(authority)
    tls.verify_mode = ssl.CERT_REQUIRED  # a kubelet talks to the API server alone
    Network(path, tls).serve_forever()


if __name__ == "__main__":
    _main()
