"""GitHub's and GitLab's API for comments, on loopback.

A fake at the network: it answers as their documents describe (docs.github.com/rest/issues/comments,
docs.gitlab.com/api/notes), in pages, and refuses what they refuse. Whether the real ones do is not tested.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "s3cr3t-t0ken"
GITHUB = "/repos/acme/cluster/issues"
GITLAB = "/projects/7/merge_requests/3/notes"


class Api(ThreadingHTTPServer):
    """The comments of one pull or merge request; ``status`` other than 200 is the answer to everything."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.comments: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.status = 200


class _Answer(BaseHTTPRequestHandler):
    server: Api

    def log_message(self, *_: Any) -> None: ...

    def answer(self, status: int, body: Any) -> None:
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.asked.append(f"{self.command} {url.path}")
        given = {self.headers.get("Authorization"), self.headers.get("PRIVATE-TOKEN")}
        if self.server.status != 200:
            return self.answer(self.server.status, {"message": "Resource not accessible by integration"})
        if not given & {f"Bearer {TOKEN}", TOKEN}:
            return self.answer(401, {"message": "Bad credentials"})
        known = {one["id"]: one for one in self.server.comments if isinstance(one, dict) and "id" in one}
        last = url.path.rpartition("/")[2]
        if self.command == "GET" and url.path in (f"{GITHUB}/3/comments", GITLAB):
            query = {key: int(value) for key, (value,) in parse_qs(url.query).items()}
            end = query["page"] * query["per_page"]
            return self.answer(200, self.server.comments[end - query["per_page"] : end])
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.command == "POST" and url.path in (f"{GITHUB}/3/comments", GITLAB):
            self.server.comments.append({"id": len(known) + 1, **body})
            return self.answer(201, self.server.comments[-1])
        kinds = {"PATCH": f"{GITHUB}/comments/{last}", "PUT": f"{GITLAB}/{last}"}
        if url.path == kinds.get(self.command) and last.isdigit() and int(last) in known:
            known[int(last)].update(body)
            return self.answer(200, known[int(last)])
        return self.answer(404, {"message": "Not Found"})

    do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815 - as http.server names them


@contextmanager
def served() -> Iterator[Api]:
    """An API without comments, until the block ends."""
    server = Api()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
