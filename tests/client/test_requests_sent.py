"""What a Connection really sends, seen by a server that writes down every byte of a request's head."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from auditproof.client.connection import Connection, Response
from auditproof.client.credential import Credential
from auditproof.client.probe import Probe
from auditproof.clusters.pki.x509 import Authority
from auditproof.errors import ClusterError
from auditproof.kube.action import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditproof.client.misbehaving import ClientBehaviour

NOBODY = Credential()
SLOW = "/slow"  # hangs up before it responds


class Recorder(ThreadingHTTPServer):
    """An https server that asks for a client certificate and records request lines, headers and clients' subjects."""

    daemon_threads = True

    def __init__(self, keys: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(keys / "ca.crt"))
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_cert_chain(keys / "server.crt", keys / "server.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.seen: list[tuple[str, list[tuple[str, str]]]] = []
        self.subjects: list[object] = []
        self.peers: list[object] = []  # the address of the connection of each request

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that trusts nobody here ends its connection in the middle of the handshake; that is the test."""


class Handler(BaseHTTPRequestHandler):
    """Records a request, and responds by its path."""

    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_GET(self) -> None:
        self.server.seen.append((self.requestline, self.headers.items()))
        self.server.peers.append(self.client_address)
        peer: ssl.SSLSocket = self.connection
        self.server.subjects.append((peer.getpeercert() or {}).get("subject"))
        if self.path == SLOW:
            self.close_connection = True
            return
        self.send_response(307 if self.path == "/moved" else 503)
        self.send_header("Location", "/elsewhere")
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Not to the terminal."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    authority = Authority.create("test")
    authority.pair().write(folder, "ca")
    authority.server("server").write(folder, "server")
    authority.client("alice").write(folder, "alice")
    Authority.create("another").pair().write(folder, "another")
    return folder


@pytest.fixture
def server(keys: Path) -> Iterator[Recorder]:
    with Recorder(keys) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def send(server: Recorder, ca: Path, request: Request, credential: Credential = NOBODY) -> Response:
    connection = Connection(server.url, ca, credential)
    try:
        return connection.send(request, audit_id="id-1", user_agent="agent")
    finally:
        connection.close()


def test_headers_are_sent_as_given_and_no_others(server: Recorder, keys: Path) -> None:
    """Repeated names stay repeated, in order; nothing is added but Audit-ID, User-Agent, Accept and what HTTP needs."""
    headers = (("X-Twice", "b"), ("X-Twice", "a"), ("Content-Type", "text/plain"))
    credential = Credential(token="secret", headers=(("Impersonate-Group", "dev"), ("Impersonate-Group", "ops")))

    send(server, keys / "ca.crt", Request("POST", "/a%2Fb?x=%20&x", headers, b"body"), credential)

    [(line, sent)] = server.seen
    assert line == "POST /a%2Fb?x=%20&x HTTP/1.1"
    assert sorted(sent) == sorted(
        [
            ("Host", f"127.0.0.1:{server.server_address[1]}"),
            ("Accept-Encoding", "identity"),
            ("Content-Length", "4"),
            ("Audit-ID", "id-1"),
            ("User-Agent", "agent"),
            ("Authorization", "Bearer secret"),
            ("Impersonate-Group", "dev"),
            ("Impersonate-Group", "ops"),
            ("X-Twice", "b"),
            ("X-Twice", "a"),
            ("Content-Type", "text/plain"),
            ("Accept", "application/json"),
        ]
    )
    assert [value for name, value in sent if name == "X-Twice"] == ["b", "a"]


@pytest.mark.parametrize("client", ["", "stays"])
def test_a_path_in_the_servers_address_precedes_every_request(server: Recorder, keys: Path, client: str) -> None:
    """A proxy for many clusters is reached by a path; the API server, and so the event, sees only what follows it."""
    connection = Connection(f"{server.url}/k8s/clusters/c-1/", keys / "ca.crt", NOBODY)
    connection.send(Request("GET", "/api/v1/pods?limit=1", client=client), audit_id="id-1", user_agent="agent")
    connection.close()

    assert [line for line, _ in server.seen] == ["GET /k8s/clusters/c-1/api/v1/pods?limit=1 HTTP/1.1"]


def test_the_request_s_own_user_agent_replaces_the_usual_one(server: Recorder, keys: Path) -> None:
    send(server, keys / "ca.crt", Request("GET", "/", (("user-agent", "own"),)))

    [(_, sent)] = server.seen
    assert [value for name, value in sent if name.lower() == "user-agent"] == ["own"]


@pytest.mark.parametrize(("path", "status"), [("/busy", 503), ("/moved", 307)])
def test_nothing_is_sent_twice_whatever_the_server_asks_for(
    server: Recorder, keys: Path, path: str, status: int
) -> None:
    """A redirect is not followed, and Retry-After not obeyed."""
    response = send(server, keys / "ca.crt", Request("GET", path))

    assert (response.status, response.audit_id, response.connection) == (status, "id-1", 1)
    assert len(server.seen) == 1


def test_a_request_that_got_no_response_is_not_sent_again(server: Recorder, keys: Path) -> None:
    """A retry would be recorded as a second event."""
    response = send(server, keys / "ca.crt", Request("GET", SLOW))

    assert (response.status, len(server.seen)) == (0, 1)
    assert response.error


def test_requests_share_a_connection_and_count_it(server: Recorder, keys: Path) -> None:
    """The number changes after a broken connection, so a follow-up shows which requests it closes."""
    connection = Connection(server.url, keys / "ca.crt", Credential())
    paths = ("/1", "/2", SLOW, "/3")
    numbers = [connection.send(Request("GET", path), audit_id=path, user_agent="agent").connection for path in paths]
    connection.close()

    assert numbers == [1, 1, 1, 2]


def test_the_client_certificate_is_shown(server: Recorder, keys: Path) -> None:
    credential = Credential(keys / "alice.crt", keys / "alice.key")

    send(server, keys / "ca.crt", Request("GET", "/"), credential)
    send(server, keys / "ca.crt", Request("GET", "/"))

    assert server.subjects == [((("commonName", "alice"),),), None]


def test_a_server_of_another_authority_gets_no_request(server: Recorder, keys: Path) -> None:
    """No credential may reach a server that is not verified."""
    response = send(server, keys / "another.crt", Request("GET", "/"))

    assert response.status == 0
    assert "CERTIFICATE_VERIFY_FAILED" in response.error
    assert server.seen == []


def test_the_proxies_of_the_environment_see_no_request(
    server: Recorder, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert send(server, keys / "ca.crt", Request("GET", "/")).status == 503


@pytest.mark.parametrize("client", ["", "stays"])
def test_a_server_that_dies_before_the_handshake_leaves_no_socket(
    keys: Path, monkeypatch: pytest.MonkeyPatch, client: ClientBehaviour
) -> None:
    """The connection is reset between TCP and TLS, where the standard library leaves its socket open."""
    real = socket.create_connection

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        plain = real(address)
        dying.close()
        return plain

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    monkeypatch.setattr(socket, "create_connection", connect)
    gc.collect()
    with warnings.catch_warnings(record=True) as caught, socket.create_server(("127.0.0.1", 0)) as dying:
        warnings.simplefilter("always")
        connection = Connection(f"https://127.0.0.1:{dying.getsockname()[1]}", keys / "ca.crt", NOBODY)
        response = connection.send(Request("GET", "/", client=client), audit_id="id-1", user_agent="agent")
        connection.close()
        gc.collect()

    assert "reset" in response.error
    assert [str(warning.message) for warning in caught] == [], "a socket is left to the garbage collector"


def test_a_probe_that_asks_repeatedly_keeps_its_connection_and_opens_a_lost_one_again(
    server: Recorder, keys: Path
) -> None:
    """As while a server starts: it may refuse connections, lose them, and respond."""
    with Probe(server.url, keys / "ca.crt").repeatedly() as get:
        assert [get("/readyz").status, get("/readyz").status] == [503, 503]
        with pytest.raises(ClusterError, match="does not answer: GET /slow"):
            get(SLOW)
        assert get("/readyz").status == 503

    first, second, slow, last = server.peers
    assert first == second == slow != last
