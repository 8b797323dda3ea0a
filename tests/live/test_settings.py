"""Servers of one policy with settings of their own, on real API servers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.server_flags import DEFAULT_FLAGS, ServerFlags
from auditproof.clusters.run.readiness import ask
from tests.support.descriptors import descriptors

if TYPE_CHECKING:
    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory

pytestmark = pytest.mark.live


@pytest.mark.covers("T48")
def test_settings_reach_a_server_of_their_own(embedded: EmbeddedProvider, everything: Path) -> None:
    without = ServerFlags.of({"format": "legacy"}, {"profiling": "false", "audit-policy-file": None})
    embedded.start_all([(everything, DEFAULT_FLAGS), (everything, without)])
    plain, bare = embedded.cluster(everything), embedded.cluster(everything, without)

    assert embedded.cluster(everything) == plain != bare
    assert ask(plain, "/debug/pprof/") is not None
    assert ask(bare, "/debug/pprof/") is None
    assert plain.log.stat().st_size > 0
    assert bare.log.read_bytes() == b""


@pytest.mark.covers("T49")
def test_after_a_rotation_the_log_is_no_longer_appended_to(
    embedded: EmbeddedProvider, run_directory: RunDirectory, everything: Path
) -> None:
    small = embedded.cluster(everything, ServerFlags.of({"maxsize": "1"}))
    pid, _ = run_directory.entry(small.name)
    before = appends(pid, small.log)
    for n in range(25):
        ask(small, f"/version?padding={'x' * 25_000}{n}")

    assert list(small.log.parent.glob("audit-*.log")) != []
    assert (before, appends(pid, small.log)) == (True, False)


def appends(pid: int, log: Path) -> bool:
    """Whether a process has the file open so that it always writes at its end."""
    (number,) = (number for number, target in descriptors(pid).items() if target == str(log))
    flags = Path(f"/proc/{pid}/fdinfo/{number}").read_text().partition("flags:")[2].split()[0]
    return bool(int(flags, 8) & os.O_APPEND)
