"""An HTTPS proxy that misbehaves, with an authority of its own, between the prover and an API server.

It ends the client's TLS and speaks to the server with the client's own certificate, whose key it finds beside it, on
one connection for each of the client's: without a fault nobody can tell that it is there. It keeps a list of what it
has really forwarded.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from auditproof.clusters.pki import x509 as pki
from tests.gauntlet.meddling import ANSWERS, Asked, meddling_with
from tests.gauntlet.truth import Between, Forwarded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster
    from tests.gauntlet.meddling import Meddle

TIMEOUT_S = 10.0
_BODY = b'{"kind":"Status","apiVersion":"v1","metadata":{},"message":"said by a proxy"}\n'
_HOPS = {"connection", "keep-alive", "transfer-encoding", "content-length"}
Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Answer:
    """An answer to be given."""

    status: int
    reason: str
    headers: Headers
    body: bytes
    chunked: bool = False


@dataclass(slots=True)
class Script:
    """What one run does to the proxy, and what came of it."""

    meddles: Sequence[Meddle] = ()
    between: Between = field(default_factory=Between)
    turns: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    cache: dict[tuple[str, str], Answer] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Proxy:
    """Listens on loopback before ``cluster``; ``folders`` have the certificates and keys of its clients."""

    def __init__(self, cluster: Cluster, folder: Path, folders: Sequence[Path]) -> None:
        self.script = Script()
        self.target = urlsplit(cluster.url)
        self._folders = [*folders, *([cluster.admin.cert.parent] if cluster.admin.cert else [])]
        self._pairs: dict[bytes, tuple[Path, Path]] = {}
        self._contexts: dict[bytes, ssl.SSLContext] = {}
        self._server_ca = cluster.ca
        authority = pki.Authority.create("gauntlet-proxy-ca")
        self.ca, _ = authority.pair().write(folder, "proxy-ca")
        certificate, key = authority.server("gauntlet-proxy").write(folder, "proxy")
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self.tls.load_verify_locations(cluster.authorities.client.certificate)
        self.tls.verify_mode = ssl.CERT_OPTIONAL
        self._server = _Listener(self)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def context(self, certificate: bytes | None) -> ssl.SSLContext:
        """The TLS by which a client's requests go to the server, with the client's own certificate if it has one."""
        name = certificate or b""
        if name not in self._contexts:
            context = ssl.create_default_context(cafile=str(self._server_ca))
            if certificate:
                context.load_cert_chain(*self._pair(certificate))
            self._contexts[name] = context
        return self._contexts[name]

    def _pair(self, certificate: bytes) -> tuple[Path, Path]:
        if certificate not in self._pairs:
            for folder in self._folders:
                for path in folder.rglob("*.crt"):
                    with contextlib.suppress(ValueError):
                        found = ssl.PEM_cert_to_DER_cert(path.read_text())
                        self._pairs.setdefault(found, (path, path.with_suffix(".key")))
        return self._pairs[certificate]


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.proxy = proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is what this is for."""


class _Connection(BaseHTTPRequestHandler):
    """One connection of a client, and one to the server."""

    protocol_version = "HTTP/1.1"
    server: _Listener
    _upstream: http.client.HTTPSConnection | None = None

    def setup(self) -> None:
        """Shake hands, in the connection's own thread."""
        self.request.settimeout(TIMEOUT_S)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = self.server.proxy.tls.wrap_socket(self.request, server_side=True)
        super().setup()
        self._certificate = self.request.getpeercert(binary_form=True)

    def finish(self) -> None:
        """Close both."""
        with contextlib.suppress(OSError):
            super().finish()
        if self._upstream:
            self._upstream.close()
        self.request.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Nothing is logged."""

    def serve(self) -> None:
        """One request: forwarded as it is, or whatever the run's script says."""
        self._script = self.server.proxy.script
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = (self.command, self.path, self.headers.get("User-Agent", ""))
        with self._script.lock:
            asked = Asked(*name, self._script.turns[name])
            self._script.turns[name] += 1
        meddle = meddling_with(asked, self._script.meddles)
        if meddle is None:
            self._give(self._remember(self._forward(body)))
        else:
            self._meddle(meddle, asked, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve  # noqa: N815 - http.server's names

    def _meddle(self, meddle: Meddle, asked: Asked, body: bytes) -> None:
        kind = meddle.kind.removesuffix("-echo")
        random = meddle.random(asked)
        if kind in ANSWERS:
            return self._give(self._own(ANSWERS[kind], echo=meddle.kind.endswith("-echo")))
        if kind == "cache":
            return self._give(self._cached(body, echo=meddle.kind.endswith("-echo")))
        if kind == "close":
            return self._hang_up()
        if kind == "delay":
            threading.Event().wait(random.choice([0.02, 0.2]))
        answer = self._forward(body, kind, random.random())
        if kind == "drop":
            return self._hang_up()
        if kind == "twice":
            again = self._forward(body)
            answer = random.choice([answer, again])
        if kind == "half":
            answer.body, answer.chunked = answer.body + b" " * 10, False
            self._give(answer, missing=10)
            return self._hang_up()
        if kind == "status":
            answer.status = random.choice([one for one in (200, 201, 403, 404, 500) if one != answer.status])
        if kind == "no-echo":
            answer.headers = [pair for pair in answer.headers if pair[0].lower() != "audit-id"]
        if kind == "rewrite-back":
            answer.headers = [(k, self._client_id if k.lower() == "audit-id" else v) for k, v in answer.headers]
        return self._give(answer)

    @property
    def _client_id(self) -> str:
        return self.headers.get("Audit-ID", "")

    def _own(self, status: int, *, echo: bool) -> Answer:
        if echo:
            self._script.between.forged.add(self._client_id)
        headers = [("Content-Type", "application/json"), *([("Audit-Id", self._client_id)] if echo else [])]
        headers += [("Location", "/elsewhere")] if status == 302 else []
        return Answer(status, "", headers, _BODY)

    def _remember(self, answer: Answer) -> Answer:
        self._script.cache[self.command, self.path] = answer
        return answer

    def _cached(self, body: bytes, *, echo: bool) -> Answer:
        known = self._script.cache.get((self.command, self.path))
        if known is None:
            return self._remember(self._forward(body))
        if echo:
            self._script.between.forged.add(self._client_id)
        headers = [(k, self._client_id if echo and k.lower() == "audit-id" else v) for k, v in known.headers]
        return Answer(known.status, known.reason, headers, known.body, known.chunked)

    def _forward(self, body: bytes, kind: str = "", chance: float = 0.0) -> Answer:
        """Send the request on, changed in the way of ``kind``, and write down what was sent; answers what came."""
        sent_id = f"proxy-{int(chance * 10**12)}" if kind.startswith("rewrite") else self._client_id
        headers: Headers = [(k, sent_id if k.lower() == "audit-id" else v) for k, v in self.headers.items()]
        method, path, anonymous = self.command, self.path, False
        if kind == "no-id":
            headers = [(k, v) for k, v in headers if k.lower() != "audit-id"]
        if kind == "other-path":
            path = "/healthz/ping" if chance < 0.5 else "/api/v1/namespaces/gauntlet/configmaps/elsewhere"
        if kind == "other-verb":
            method = "OPTIONS" if method == "GET" else "GET"
        if kind == "other-user":
            anonymous = True
            headers = [(k, v) for k, v in headers if k.lower() != "authorization" and "mpersonate" not in k]
        answer = self._exchange(method, path, headers, body, anonymous=anonymous)
        echo = next((v for k, v in answer.headers if k.lower() == "audit-id"), "")
        mine = bool(self._certificate) or any(k.lower() == "authorization" for k, _ in self.headers.items())
        same = method == self.command and path == self.path and not (anonymous and mine)
        sent_id = echo if kind == "no-id" else sent_id
        self._script.between.forwarded.append(Forwarded(self._client_id, sent_id, same, answer.status, bool(echo)))
        return answer

    def _exchange(self, method: str, path: str, headers: Headers, body: bytes, *, anonymous: bool) -> Answer:
        upstream = self._connect(None) if anonymous else self._upstream or self._connect(self._certificate)
        if not anonymous:
            self._upstream = upstream
        try:
            upstream.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for key, value in headers:
                upstream.putheader(key, value)
            upstream.endheaders(body)
            got = upstream.getresponse()
            return Answer(got.status, got.reason, got.getheaders(), got.read(), bool(got.chunked))
        except (OSError, http.client.HTTPException):
            upstream.close()
            self._upstream = None
            return Answer(0, "", [], b"")
        finally:
            if anonymous:
                upstream.close()

    def _connect(self, certificate: bytes | None) -> http.client.HTTPSConnection:
        proxy = self.server.proxy
        host, port = proxy.target.hostname, proxy.target.port
        assert host is not None
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=proxy.context(certificate))

    def _give(self, answer: Answer, missing: int = 0) -> None:
        """Answer the client; ``missing``: without so many bytes of the end."""
        if not answer.status:
            return self._hang_up()
        self.send_response_only(answer.status, answer.reason or None)
        for key, value in answer.headers:
            if key.lower() not in _HOPS:
                self.send_header(key, value)
        bodiless = self.command == "HEAD" or answer.status in (204, 304)
        body = b"" if bodiless else answer.body
        if answer.chunked and not bodiless:
            self.send_header("Transfer-Encoding", "chunked")
            body = (f"{len(body):x}\r\n".encode() + body + b"\r\n" if body else b"") + b"0\r\n\r\n"
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - missing])
        self.wfile.flush()
        return None

    def _hang_up(self) -> None:
        self.close_connection = True
