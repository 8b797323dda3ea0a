"""Servers of one policy with settings of their own, on real API servers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.descriptors import descriptors

from auditproof.clusters.embedded import Embedded
from auditproof.clusters.profile import load_profile
from auditproof.clusters.readiness import ask
from auditproof.clusters.rundir import RunDirectory
from auditproof.settings import Settings

pytestmark = pytest.mark.live


@pytest.mark.covers("T48")
def test_settings_reach_a_server_of_their_own(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n")
    directory = RunDirectory.create()
    try:
        embedded = Embedded(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
        without = Settings.of({"format": "legacy"}, {"profiling": "false", "audit-policy-file": None})
        embedded.start_all([(policy, Settings()), (policy, without)])
        plain, bare = embedded.cluster(policy), embedded.cluster(policy, without)

        assert embedded.cluster(policy) == plain != bare
        assert ask(plain, "/debug/pprof/") is not None
        assert ask(bare, "/debug/pprof/") is None
        assert plain.log.stat().st_size > 0
        assert bare.log.read_bytes() == b""
    finally:
        directory.close()


@pytest.mark.covers("T49")
def test_after_a_rotation_the_log_is_no_longer_appended_to(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n")
    directory = RunDirectory.create()
    try:
        embedded = Embedded(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
        small = embedded.cluster(policy, Settings.of({"maxsize": "1"}))
        pid = directory.entry(small.name)[0]
        before = appends(pid, small.log)
        for n in range(25):
            ask(small, f"/version?padding={'x' * 25_000}{n}")

        assert list(small.log.parent.glob("audit-*.log")) != []
        assert (before, appends(pid, small.log)) == (True, False)
    finally:
        directory.close()


def appends(pid: int, log: Path) -> bool:
    """Whether a process has the file open so that it always writes at its end."""
    (number,) = (number for number, target in descriptors(pid).items() if target == str(log))
    flags = Path(f"/proc/{pid}/fdinfo/{number}").read_text().partition("flags:")[2].split()[0]
    return bool(int(flags, 8) & os.O_APPEND)
