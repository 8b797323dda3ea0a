"""Checks whether the servers still run when a response is missing or slow, so none waits for a dead server."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditproof.client.connection import NOT_SENT, Response
from auditproof.errors import ServerDied

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.client.connection import Connection
    from auditproof.kube.action import Request
    from auditproof.proof.server_view import ServerView

SLOW_S = 2.0  # after an error, or a response slower than this, check whether the servers run


class ServerWatch:
    """Remembers that a server has exited; ``performed`` is called after each request, in the sending thread.

    All requests after that fail with the same error, so a thousand of them cost no more than one.
    """

    def __init__(self, view: ServerView, performed: Callable[[], None] = lambda: None) -> None:
        self._view, self._performed = view, performed
        self._known: ServerDied | None = None

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why nothing more can be proven: a server has exited. Usually empty."""
        return (str(self._known),) if self._known is not None else ()

    def begin(self) -> None:
        """Raises ServerDied if a server has exited before, and still does not run."""
        # A server of an existing cluster may have been started again meanwhile.
        if self._known is not None and self._view.failure():
            raise self._known.with_traceback(None)
        self._known = None

    def look(self) -> None:
        """Raises ServerDied if a server has exited."""
        self._note()
        if self._known is not None:
            raise self._known

    def send(self, wire: Connection, request: Request, *, audit_id: str, user_agent: str) -> Response:
        """Send a request, unless a server has exited; then the response is an error that says so."""
        if self._known is not None:
            now = datetime.now(UTC)
            return Response(0, (), b"", NOT_SENT, now, now, f"it was not sent, because {self._known}")
        begun = time.monotonic()
        response = wire.send(request, audit_id=audit_id, user_agent=user_agent)
        self._performed()
        if response.error or time.monotonic() - begun > SLOW_S:
            self._note()
        return response

    def _note(self) -> None:
        if self._known is None and (ended := self._view.failure()):
            self._known = ServerDied(ended)
