"""One request with its answer, as the client has seen both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from auditproof.kube.action import Request
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.authenticated import AuthenticatedUser
    from auditproof.kube.identity import Identity


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its response.

    ``error`` is the transport's own message where no complete response came, and ``status`` is 0 without any.
    ``user`` is who the server's authentication must make of the credential, None where only the identity's name and
    groups are known; ``user_agent`` is what was sent as such, None if unknown; ``client`` is the address from
    which the server sees the request come, empty where it is not known.
    """

    audit_id: str
    identity: Identity
    request: Request
    attributes: Attributes
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    started: datetime
    finished: datetime
    error: str = ""
    user: AuthenticatedUser | None = None
    user_agent: str | None = None
    client: str = ""

    @property
    def echoed(self) -> bool:
        """Whether the server's own mark came back: the Audit-ID that was sent.

        Every answer of an API server has it, whatever the policy decides (pkg/endpoints/filters/audit_init.go), but not
        an answer that Go's HTTP server, or something between, gives by itself.
        """
        return self.header("Audit-Id") == self.audit_id

    def header(self, name: str) -> str:
        """The first value of a response header, or an empty text."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")
