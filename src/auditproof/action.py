"""What is asked: an Action, and the HTTP Request that it becomes. Pure: nothing is sent here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to the API server, without credentials and without Audit-ID.

    ``uri`` is path and query as they are sent; ``headers`` may repeat a name.
    """

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    upgrade: str = ""  # "websocket" or "spdy": the request asks for a protocol switch (exec, attach, port-forward)
