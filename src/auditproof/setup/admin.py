"""The admin's requests to an API server, or to each of several behind one address.

The admin is a system:masters user, or the user of a kubeconfig. Its requests have a User-Agent of their own, and none
of them is ever judged.
"""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from auditproof.auditlog.metrics import parse_metrics
from auditproof.client.connection import Connection, Response
from auditproof.errors import WireError
from auditproof.kube.action import Request
from auditproof.kube.attributes import UserInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditproof.clusters.cluster import Cluster

USER_AGENT = "auditproof/setup"
REACH = 16  # connections that are tried for each API server behind one address
LOOKS = 8  # connections that are tried to find a server that the user did not name
WRITTEN = (200, 201, 202, 409)  # 409: the object is there already
_JSON = "application/json"


class AdminClient:
    """Sends the admin's requests to one cluster; not to be shared between threads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._credential = cluster.admin
        self._connection = self._connect()
        self._asked: list[tuple[str, str, str]] = []
        self._to_each: list[Connection] = []  # to each API server behind the address, where there are several

    def _connect(self) -> Connection:
        return Connection(self._cluster.url, self._cluster.ca, self._credential)

    def send(self, method: str, uri: str, body: Any = None, media_type: str = _JSON) -> Response:
        """Send one request and return the response, whatever its status.

        ``body`` is sent as JSON, bytes as they are. Raises WireError where there is no response.
        """
        return self._send(self._connection, method, uri, body, media_type)

    def write(self, method: str, uri: str, body: Any, media_type: str = _JSON) -> Response:
        """As ``send``, for what creates an object; that it is there already (409) is no error.

        Raises WireError with the server's message where it refuses.
        """
        response = self.send(method, uri, body, media_type)
        if response.status not in WRITTEN:
            raise WireError(f"set-up: {method} {uri} was answered {response.status}: {response.message}")
        return response

    def post(self, uri: str, body: Mapping[str, Any]) -> Response:
        """POST ``body``. Raises as ``write``."""
        return self.write("POST", uri, body)

    def everywhere(self, method: str, uri: str, body: Any = None) -> list[Response]:
        """Send the same request to every API server behind the address; mostly there is one.

        Raises WireError where one does not respond, or cannot be reached.
        """
        if self._cluster.servers == 1:
            return [self.send(method, uri, body)]
        self._to_each = self._to_each or self._reach_all()
        return [self._send(connection, method, uri, body) for connection in self._to_each]

    def all_return(self, status: int, method: str, uri: str) -> bool:
        """Whether every API server returns ``status`` to this request. Raises as ``everywhere``."""
        return all(response.status == status for response in self.everywhere(method, uri))

    def reach_again(self) -> None:
        """Forget the connections to the single API servers, because one of them now leads to another server."""
        for connection in self._to_each:
            connection.close()
        self._to_each = []

    def _reach_all(self) -> list[Connection]:
        """A connection to each API server: opened until so many processes have responded as there are servers.

        A client cannot choose the server that a load balancer takes, but each says when its process has started.
        """
        found: dict[float, Connection] = {}
        for _ in range(REACH * self._cluster.servers):
            connection = self._connect()
            response = self._send(connection, "GET", "/metrics")
            # Without /metrics the processes cannot be distinguished.
            if response.status != 200:
                break
            if found.setdefault(parse_metrics(response.body).process_start, connection) is not connection:
                connection.close()
            if len(found) == self._cluster.servers:
                return list(found.values())
        raise WireError(
            f"{len(found)} of the {self._cluster.servers} API servers behind {self._cluster.url} were reached "
            "(they are told apart by process_start_time_seconds of /metrics)"
        )

    def take_asked(self) -> list[tuple[str, str, str]]:
        """Method, URI and Audit-ID of each request that the policy was consulted about, since the last call."""
        asked, self._asked = self._asked, []
        return asked

    def user(self) -> UserInfo | None:
        """Who the admin is to the server; None where the server does not say (before Kubernetes 1.28)."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        response = self.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        if response.status != 201:
            return None
        found = response.json()["status"]["userInfo"]
        return UserInfo(str(found.get("username", "")), tuple(found.get("groups", ())))

    def unread_servers(self) -> str | None:
        """Why an event may be in a log that is not read; None where nothing shows that.

        More API servers may be behind the address of a shared cluster than logs of it were given, each for some of the
        connections. A server that does not respond here records nothing either.
        """
        found: set[float] = set()
        for _ in range(LOOKS if self._cluster.is_shared else 0):
            connection = self._connect()
            with suppress(WireError):
                found.add(parse_metrics(self._send(connection, "GET", "/metrics").body).process_start)
            connection.close()
            if len(found) > self._cluster.servers:
                return (
                    f"more API servers answer at {self._cluster.url} than logs are read ({self._cluster.servers}): "
                    "give --audit-log (auditproof run: --log) once for each; an event may be in another log"
                )
        return None

    def _send(
        self, connection: Connection, method: str, uri: str, body: Any = None, media_type: str = _JSON
    ) -> Response:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(method, uri, (("Content-Type", media_type),) if body is not None else (), data)
        audit_id = f"setup-{uuid.uuid4()}"
        response = connection.send(request, audit_id=audit_id, user_agent=USER_AGENT)
        if response.error:
            raise WireError(f"{method} {self._cluster.url}{uri} (set-up): {response.error}")
        if response.header("Audit-Id") == audit_id and response.status < 429:  # the policy was certainly consulted
            self._asked.append((method, uri, audit_id))
        return response

    def close(self) -> None:
        """Close every connection."""
        self._connection.close()
        self.reach_again()
