"""The fixtures of pipes: ``pipe`` is an API server with the flags that stand in the mark ``audit_server`` of the test.

See ``stage`` for what the flags can name. Neighbouring tests with the same flags and policy share a server while none
of them has ended it; the receiver behaves for each as its flags say.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.pki.x509 import write_private
from auditproof.clusters.stand_ins.small_disk import CannotMount
from auditproof.plugin.backend_records import KUBERNETES, is_pipe
from auditproof.plugin.fixtures import marked
from auditproof.plugin.pipe import Pipe
from auditproof.plugin.proving import SESSION
from auditproof.plugin.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.plugin.benches import Bench
    from auditproof.plugin.proving import AuditSession

OPEN: pytest.StashKey[tuple[Bench, Pipe]] = pytest.StashKey()


def pipes_of(request: pytest.FixtureRequest) -> Iterator[Callable[[], Pipe]]:
    """The value of the fixture ``start_pipe``, until the test has ended."""
    session = request.config.stash[SESSION]
    if session.options.profile.provider != "embedded":
        pytest.skip("not supported: only the embedded cluster gives an API server to each test")
    yield lambda: _open(session, request.node)
    if _shared_by_next(session, request.node):
        request.config.stash[OPEN][1].stage.restore()
    else:
        close_pipe(request.config)


def _open(session: AuditSession, node: pytest.Item) -> Pipe:
    """The pipe that the test before has left open, where it is the same; else a new one."""
    bench = session.bench(marked(node))
    left, pipe = node.config.stash.get(OPEN, (None, None))
    if pipe is not None and left == bench and not pipe.ended and not _spoils(node):
        pipe.node = node
        node.stash[KUBERNETES] = pipe.cluster.kubernetes
        return pipe
    close_pipe(node.config)
    stage = Stage(session.run_directory, secrets.token_hex(4))
    policy = session.run_directory.private_folder() / "policy.yaml"
    write_private(policy, session.bytes_of(bench.running) + f"# {policy}\n".encode())  # nobody else shares its server
    try:
        pipe = Pipe(session, node, stage, stage.set(bench.settings), policy)
    except CannotMount as error:
        pytest.skip(f"not supported: {error}")
    except BaseException:
        stage.close()
        raise
    node.config.stash[OPEN] = (bench, pipe)
    return pipe


def _spoils(node: pytest.Item) -> bool:
    """Whether a test wants a server that nobody has used, and leaves one that nobody can use."""
    return node.get_closest_marker("spoils") is not None


def _shared_by_next(session: AuditSession, node: pytest.Item) -> bool:
    """Whether the next test can use the pipe that is open."""
    bench, pipe = node.config.stash.get(OPEN, (None, None))
    items = node.session.items
    following = items[items.index(node) + 1 :][:1]
    if pipe is None or pipe.ended or _spoils(node) or not following or not is_pipe(following[0]):
        return False
    return session.bench(marked(following[0])) == bench


def close_pipe(config: pytest.Config) -> None:
    """End the pipe that is open, if one is."""
    _, pipe = config.stash.get(OPEN, (None, None))
    if pipe is not None:
        del config.stash[OPEN]
        pipe.close()
