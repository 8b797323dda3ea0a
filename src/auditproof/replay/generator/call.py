"""One kind of request of the invented cluster, and who sends it.

Texts may have slots such as ``@suffix@``; each request fills them with its own values. Bodies are made when a policy
first needs them, because most policies record few.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from auditproof.kube.attributes import Attributes, UserInfo, attributes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Body: TypeAlias = dict[str, Any]
Builder: TypeAlias = "Callable[[], Any]"
SLOT = re.compile("@([a-z]+)@")
_NUMBERS = {"rv", "secs"}  # slots whose value is a number


@dataclass(frozen=True, slots=True)
class Client:
    """A program with its credential: ``user`` as the event has it, ``reason`` why RBAC lets it do what it does.

    An empty ``user`` is a credential that the server refuses.
    """

    user: Mapping[str, Any]
    agent: str
    ip: str
    reason: str = ""

    @property
    def info(self) -> UserInfo | None:
        """The user as a policy sees it."""
        return UserInfo(self.user["username"], tuple(self.user["groups"])) if self.user else None


@dataclass(slots=True)
class Call:
    """A request line with its response; ``milliseconds`` is how long it usually takes.

    ``named`` is the name in the body of a create, which the event has after the body was read. ``status`` are the
    fields of a Status other than code, and ``annotations`` are added to those of the authorization.
    """

    client: Client
    method: str
    uri: str
    code: int = 200
    milliseconds: float = 4.0
    named: str = ""
    request: Builder | None = None
    response: Builder | None = None
    status: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    impersonated: Mapping[str, Any] = field(default_factory=dict)

    @property
    def attributes(self) -> Attributes:
        """The request as the policy sees it; slots stay in it, except numbers."""
        uri = SLOT.sub(lambda found: "300" if found[1] in _NUMBERS else found[0], self.uri)
        return attributes_of(self.method, uri, self.client.info)

    @property
    def decision(self) -> str:
        """What the authorizer decides: ``allow``, ``forbid``, or nothing if it is never asked (401)."""
        return "" if self.code == 401 else "forbid" if self.status.get("reason") == "Forbidden" else "allow"


def failure(reason: str, message: str, **details: Any) -> dict[str, Any]:
    """The fields of a Status that reports a failure."""
    return {"status": "Failure", "message": message, "reason": reason, **({"details": details} if details else {})}
