"""Surroundings that are not a developer's own: another user than root, a container without /dev/shm, many runs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.binaries.find import find_binaries
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from tests.support.descriptors import descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
LOOPS = 2
CASE = """\
apiVersion: auditproof/v1
kind: CaseFile
title: Alice
identities: {alice: {user: alice}}
cases:
  - {id: read, title: Alice is recorded, as: alice, do: {get: namespaces/default}, expect: Metadata}
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of NOBODY's own, where there is nothing on the way that only root may pass."""
    folder = Path(tempfile.mkdtemp(prefix="nobody-", dir="/tmp"))
    (folder / "one.audit.yaml").write_text(CASE)
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_user_who_is_not_root_proves_a_policy_where_there_is_no_shared_memory(home: Path, everything: Path) -> None:
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        pytest.skip("unshare and setpriv (util-linux) are needed")
    if subprocess.run(["unshare", "-m", "umount", "/dev/shm"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace can be made here")
    shutil.copyfile(everything, home / "policy.yaml")
    for program in (binaries := find_binaries("1.37", None, print)).etcd, binaries.kube_apiserver:
        shutil.copy2(program, home)
    # The right to read everything, because Python may be in root's home; no other right of root's.
    drop = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --inh-caps=-all,+dac_read_search"
    drop += " --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search"
    command = ["env", "-i", f"PATH={os.environ['PATH']}", f"HOME={home}", f"KUBEBUILDER_ASSETS={home}"]
    command += [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--audit-policy", "policy.yaml"]
    script = f"umount /dev/shm && exec {drop} {shlex.join([*command, '--audit-report', 'report', 'one.audit.yaml'])}"

    done = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=home, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((home / "report" / "results.json").read_text())
    assert results["summary"]["proven"] == 1
    assert (home / "report" / "results.json").stat().st_uid == NOBODY


def test_run_after_run_in_one_process_leaves_no_descriptor_no_process_and_no_folder(everything: Path) -> None:
    before = len(descriptors(os.getpid()))
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    own = children.read_text().split()

    for _ in range(LOOPS):
        directory = RunDirectory.create()
        servers = EmbeddedProvider(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
        servers.cluster(everything)
        directory.close()
        assert not directory.path.exists()

    assert len(descriptors(os.getpid())) == before
    assert children.read_text().split() == own
