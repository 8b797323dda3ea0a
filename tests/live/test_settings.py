"""Servers of one policy with settings of their own, on real API servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.embedded import Embedded
from auditproof.clusters.profile import load_profile
from auditproof.clusters.readiness import ask
from auditproof.clusters.rundir import RunDirectory
from auditproof.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

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
