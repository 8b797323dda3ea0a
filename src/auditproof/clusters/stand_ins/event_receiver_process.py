"""Receives the events of an audit webhook over HTTPS and writes each one as a line, as an audit log has them.

Standard library only: it is run as its own script (``event_receiver_process.py FOLDER PORT [ADDRESS]``), so that it
starts in milliseconds, and can be killed and started again like any receiver. FOLDER holds server.crt, server.key and
ca.crt, the authority of its clients; a line of events.log is an event, a line of attempts.log a request. behaviour.json
says how it responds (see event_receiver.Behaviour) and may be replaced at any time.

An event that is delivered again, word for word, is written once: the API server repeats a request whose answer it has
not seen (k8s.io/apiserver plugin/pkg/audit/webhook/webhook.go).
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

OK = {"status": 200, "delay": 0.0, "hang_up": False, "first": 0, "token": ""}
ADDRESS = "127.0.0.1"
INTERRUPTED, UNUSABLE = 2, 4  # as cli.exit_codes has them, which this script cannot import
MAX_CONNECTIONS = 256  # anything that reaches the port may open one; only a client with a key gets further
ITEM = 2  # brackets around an event in a batch: those of the list, and of its items
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
IDLE_S = 120.0  # Go's client gives an idle connection up after 90 s, so that it is never we who end one in use


def events_of(body: bytes) -> list[bytes]:
    """The events of a batch, each as a line of a log, with what a list says once for all of its items.

    None is decoded: one that is nested 3,000 deep, as any client may have it recorded, costs the others nothing.
    Raises ValueError where the body is no EventList.
    """
    spans, rest, depth, begun, last = [], [], 0, 0, 0
    for found in _TOKEN.finditer(body):
        if found[0] in b"}]":
            depth -= 1
            if depth == ITEM:
                spans.append(body[begun : found.end()])
                last = found.end()
        elif found[0] in b"{[":
            if depth == ITEM:
                rest.append(body[last : found.start()])
                begun = found.start()
            depth += 1
    batch = json.loads(b"null".join([*rest, body[last:]]))
    items = batch.get("items") if isinstance(batch, dict) else None
    if depth or not isinstance(batch, dict) or (items is None and spans) or items not in (None, [None] * len(spans)):
        raise ValueError("this is no EventList")
    head = json.dumps({"kind": "Event", "apiVersion": batch.get("apiVersion")}, separators=(",", ":")).encode()[:-1]
    lines = (span.replace(b"\n", b" ") for span in spans)  # a string of JSON holds none
    return [line if line.startswith(b'{"kind"') else b"%s,%s" % (head, line[1:]) for line in lines]


class Store:
    """The two files, and what they hold already."""

    def __init__(self, events: Path) -> None:
        self._folder = events.parent
        self._lock = threading.Lock()
        events.touch(mode=0o600)
        self._seen = {hashlib.sha256(line).digest() for line in events.read_bytes().splitlines()}
        self._events = events.open("ab", buffering=0)
        self._attempts = (self._folder / "attempts.log").open("a", buffering=1)
        self._behaviour: dict[str, Any] = {}
        self._served = 0

    def behaviour(self) -> dict[str, Any]:
        """How to answer the request that has just come; ``first`` counts from when the file was replaced."""
        with self._lock:
            given: dict[str, Any] = OK | json.loads((self._folder / "behaviour.json").read_text())
            self._served = self._served + 1 if given == self._behaviour else 1
            self._behaviour = given
            if given["first"] and self._served > given["first"]:
                return OK | {"token": given["token"]}
            return given

    def keep(self, lines: list[bytes]) -> int:
        """Write the events that are not there yet, in one piece; return how many were there."""
        with self._lock:
            # By digest: the events of a long run may not fit into memory.
            fresh = [line for line in lines if hashlib.sha256(line).digest() not in self._seen]
            self._events.write(b"".join(line + b"\n" for line in fresh))
            self._seen.update(hashlib.sha256(line).digest() for line in fresh)
        return len(lines) - len(fresh)

    def note(self, attempt: dict[str, Any]) -> None:
        """Write down a request."""
        with self._lock:
            self._attempts.write(json.dumps(attempt) + "\n")


class Handler(BaseHTTPRequestHandler):
    """Responds to a POST of an audit.k8s.io/v1 EventList."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    wbufsize = -1  # head and body in one piece: in two, the second would wait 40 ms for the first one's delayed ACK
    disable_nagle_algorithm = True
    store: Store

    def do_POST(self) -> None:
        """Receive a batch: what is answered 200 was written before."""
        came, begun = time.time(), time.monotonic()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        events = events_of(body)
        behaviour = self.store.behaviour()
        time.sleep(behaviour["delay"])  # a slow receiver: the delay is what is asked for, it waits for nothing
        token = behaviour["token"]
        status = 401 if token and self.headers["Authorization"] != f"Bearer {token}" else behaviour["status"]
        status = 0 if behaviour["hang_up"] else status
        again = self.store.keep(events) if status == 200 else 0
        self.store.note(
            {
                "time": came,
                "seconds": time.monotonic() - begun,
                "events": len(events),
                "bytes": len(body),
                "again": again,
                "status": status,
            }
        )
        self._answer(status)

    def _answer(self, status: int) -> None:
        if not status:
            self.close_connection = True
            return
        body = b"{}" if status == 200 else b"the receiver was told to refuse\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status == 200 else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: attempts.log has it."""


class Server(ThreadingHTTPServer):
    """Listens on a port that is reserved for it (see receiver.Receiver)."""

    allow_reuse_port = True
    daemon_threads = True

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is a thread for one more connection."""
        del request, client_address
        return threading.active_count() <= MAX_CONNECTIONS


def main(events: Path, port: int, address: str = ADDRESS) -> None:
    """Write into ``events``, in the folder of which the keys are, until killed."""
    folder = events.parent
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    context.load_verify_locations(folder / "ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL if (folder / "token").exists() else ssl.CERT_REQUIRED
    Handler.store = Store(events)
    server = Server((address, port), Handler)
    # Each connection's own thread makes its handshake, so that no client holds up the others.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except OSError as error:
        where = ":".join([*sys.argv[3:], sys.argv[2]])
        sys.stderr.write(f"events cannot be received at {where}: {error.strerror or error}; choose another address\n")
        raise SystemExit(UNUSABLE) from None
