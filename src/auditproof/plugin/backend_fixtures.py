"""The fixtures for backends: ``audit_backend`` is an API server with the flags of the test's mark ``audit_server``.

See ``proof.backends.flag_resources`` for the resources that flags can name.
Neighbouring tests with the same flags and policy share a server until one of them stops it; the receiver is reset to
the behaviour in the flags for each of them.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.pki.x509 import write_private
from auditproof.clusters.stand_ins.small_disk import CannotMount
from auditproof.plugin.backend_records import KUBERNETES, is_backend_test, noting
from auditproof.plugin.fixtures import marked
from auditproof.plugin.session import session_of
from auditproof.proof.backends.flag_resources import FlagResources
from auditproof.proof.backends.server import BackendServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.plugin.session import AuditSession
    from auditproof.proof.placement import Placement

OPEN: pytest.StashKey[tuple[Placement, BackendServer]] = pytest.StashKey()


def backends_of(request: pytest.FixtureRequest) -> Iterator[Callable[[], BackendServer]]:
    """The value of the fixture ``audit_backend_start``; afterwards the server is kept for the next test, or stopped."""
    session = session_of(request.node)
    if session.options.profile.provider != "embedded":
        pytest.skip("not supported: only the embedded cluster gives an API server to each test")
    yield lambda: _open(session, request.node)
    if _shared_by_next(session, request.node):
        request.config.stash[OPEN][1].resources.restore()
    else:
        close_backend(request.config)


def _open(session: AuditSession, node: pytest.Item) -> BackendServer:
    """The server that the previous test has left open, if this test can use it; otherwise a new one."""
    placement = session.place(marked(node))
    left, server = node.config.stash.get(OPEN, (None, None))
    if server is not None and left == placement and not server.ended and not _spoils(node):
        server.note = noting(node)
        node.stash[KUBERNETES] = server.cluster.kubernetes
        return server
    close_backend(node.config)
    resources = FlagResources(session.run_directory, secrets.token_hex(4))
    policy = session.run_directory.private_folder() / "policy.yaml"
    text = session.bytes_of(placement.running) + f"# {policy}\n".encode()  # no other test shares its server
    write_private(policy, text)
    try:
        server = BackendServer(session, resources, resources.set(placement.settings), policy, noting(node))
    except CannotMount as error:
        pytest.skip(f"not supported: {error}")
    except BaseException:
        resources.close()
        raise
    node.stash[KUBERNETES] = server.cluster.kubernetes
    node.config.stash[OPEN] = (placement, server)
    return server


def _spoils(node: pytest.Item) -> bool:
    """Whether the test needs a fresh server and leaves it unusable (mark ``audit_spoils``)."""
    return node.get_closest_marker("audit_spoils") is not None


def _shared_by_next(session: AuditSession, node: pytest.Item) -> bool:
    """Whether the next test can use the server that is open."""
    placement, server = node.config.stash.get(OPEN, (None, None))
    items = node.session.items
    following = items[items.index(node) + 1 :][:1]
    if server is None or server.ended or _spoils(node) or not following or not is_backend_test(following[0]):
        return False
    return session is session_of(following[0]) and session.place(marked(following[0])) == placement


def close_backend(config: pytest.Config) -> None:
    """Stop the open server, if there is one."""
    _, server = config.stash.get(OPEN, (None, None))
    if server is not None:
        del config.stash[OPEN]
        server.close()
