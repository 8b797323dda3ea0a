"""The services that an API server calls, on loopback: an OpenID Connect issuer, and admission webhooks.

Standard library only: it is run as a script of its own (``issuer_and_webhooks.py FOLDER``). FOLDER holds jwks.json, the
keys that tokens are signed with, server.crt and server.key, and nameless.crt and nameless.key, a certificate without
subject alternative names, shown to clients of ``localhost``. It chooses a port and writes the address into FOLDER/url.

An admission webhook says what it does in its path, since a URL with a query is refused (k8s.io/apiserver
pkg/util/webhook/validation.go): ``/admission/label=colour=red/note=key=value/delay=0.7``, any of them in any order.

A port on loopback is open to every user of the machine. Only processes of the same user are served, and what they say
of themselves (how long a body is, how long to wait) is believed within limits.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

ADDRESS = "127.0.0.1"
URL_FILE = "url"
NAMELESS_HOST = "localhost"
ADMISSION = "/admission/"
MAX_BODY = 16 << 20  # a review holds an object twice, and the API server takes none of more than 3 MiB
MAX_DELAY_S = 30.0  # the longest that an API server waits for a webhook (timeoutSeconds)
MAX_CONNECTIONS = 256
IDLE_S = 120.0  # Go's client gives an idle connection up after 90 s, so that it is never we who end one in use
SOCKETS = Path("/proc/net/tcp")
_ESTABLISHED = "01"


class Handler(BaseHTTPRequestHandler):
    """Responds to discovery, keys and admission reviews."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    folder: Path
    url: str

    def do_GET(self) -> None:
        """The issuer's two documents (OpenID Connect Discovery 1.0)."""
        if self.path == "/.well-known/openid-configuration":
            discovery = {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            }
            self._answer(200, discovery)
        elif self.path == "/jwks":
            self._answer(200, json.loads((self.folder / "jwks.json").read_text()))
        else:
            self._answer(404, {"message": f"nothing is at {self.path}"})

    def do_POST(self) -> None:
        """An AdmissionReview (admission.k8s.io/v1)."""
        length = self.headers.get("Content-Length", "")
        # The number of digits first: int() is slow for a very long text.
        if not length.isdecimal() or len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
            self.close_connection = True
            self._answer(413, {"message": f"a review has at most {MAX_BODY} bytes"})
            return
        review = json.loads(self.rfile.read(int(length)))
        asked = _asked(self.path)
        time.sleep(
            min(float(asked.get("delay", ["0"])[0]), MAX_DELAY_S)
        )  # a slow webhook: the delay is what is asked for
        status = int(asked.get("status", ["200"])[0])
        head = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        self._answer(status, {**head, "response": _response(review["request"], asked)} if status == 200 else {})

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _asked(path: str) -> dict[str, list[str]]:
    """What a webhook's path asks for: ``label``, ``note``, ``warn``, ``deny``, ``delay``, ``status``."""
    asked: dict[str, list[str]] = {}
    for part in unquote(path.partition("?")[0]).removeprefix(ADMISSION).split("/"):
        key, _, value = part.partition("=")
        asked.setdefault(key, []).append(value)
    return asked


def _response(request: dict[str, Any], asked: dict[str, list[str]]) -> dict[str, Any]:
    """An AdmissionResponse (admission.k8s.io/v1)."""
    response: dict[str, Any] = {"uid": request["uid"], "allowed": "deny" not in asked}
    if "deny" in asked:
        response["status"] = {"code": 403, "message": asked["deny"][0]}
    if "label" in asked:
        labels = (request["object"] or {}).get("metadata", {}).get("labels", {})
        labels |= dict(label.split("=", 1) for label in asked["label"])
        patch = [{"op": "add", "path": "/metadata/labels", "value": labels}]
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
    if "note" in asked:
        response["auditAnnotations"] = dict(note.split("=", 1) for note in asked["note"])
    if "warn" in asked:
        response["warnings"] = asked["warn"]
    return response


def _context(folder: Path) -> ssl.SSLContext:
    """The certificate for the address, and the nameless one for who asks for NAMELESS_HOST."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    nameless = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    nameless.load_cert_chain(folder / "nameless.crt", folder / "nameless.key")

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name == NAMELESS_HOST:
            connection.context = nameless

    context.sni_callback = choose
    return context


class Server(ThreadingHTTPServer):
    """A thread for each connection of our own user, up to a number; none of them keeps the process alive."""

    daemon_threads = True

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether to answer: a connection is judged by who has opened it, before anything is read from it."""
        del request
        return threading.active_count() <= MAX_CONNECTIONS and is_own(self.server_port, client_address[1])


def is_own(port: int, peer: int) -> bool:
    """Whether the connection to ``port`` from the port ``peer`` of loopback is one of our own user's.

    Linux says whose a socket is (/proc/net/tcp, tcp_diag); where the system does not say it, every client is served.
    """
    if not SOCKETS.exists():
        return True
    host = int.from_bytes(socket.inet_aton(ADDRESS), sys.byteorder)
    ends = [f"{host:08X}:{peer:04X}", f"{host:08X}:{port:04X}"]
    rows = (line.split() for line in SOCKETS.read_text().splitlines()[1:])
    return any(row[1:3] == ends and row[3] == _ESTABLISHED and int(row[7]) == os.getuid() for row in rows)


def main(folder: Path) -> None:
    """Serve until killed."""
    server = Server((ADDRESS, 0), Handler)
    server.socket = _context(folder).wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    Handler.folder, Handler.url = folder, f"https://{ADDRESS}:{server.server_port}"
    made = folder / f"{URL_FILE}.new"
    made.write_text(Handler.url)
    made.rename(folder / URL_FILE)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
