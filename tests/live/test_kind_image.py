"""The Containerfile: built from what a machine with a network prepared, run without network, root and writable files.

The base image is Debian with Python and git, which .ci/container-base makes without a registry; AUDITPROOF_BASE_IMAGE
names it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.binaries.find import find_binaries
from auditproof.clusters.kind.engine import find_engine
from auditproof.errors import ClusterError
from tests.support.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n"
NOBODY = "65532"


@pytest.fixture(scope="module")
def engine() -> str:
    try:
        return find_engine("").name
    except ClusterError as error:
        pytest.skip(f"no image can be built: {error}")


@pytest.fixture(scope="module")
def image(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, built without a network."""
    base = os.environ.get("AUDITPROOF_BASE_IMAGE", "")
    if not base:
        pytest.skip("no base image: AUDITPROOF_BASE_IMAGE names none (.ci/container-base makes one)")
    context = tmp_path_factory.mktemp("image") / "context"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "tests", "reports", "site", "build")
    shutil.copytree(ROOT, context, ignore=ignored)
    shutil.copy(ROOT / ".dockerignore", context)
    wheels = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--wheel-dir",
        str(context / "container" / "wheels"),
        ".",
    ]
    subprocess.run(wheels, cwd=context, check=True)
    servers = find_binaries("1.37", None, print).etcd.parent
    shutil.copytree(servers, context / "container" / "cache" / "k8s" / servers.name)
    tag = f"auditproof-test:{os.getpid()}"
    build = [
        engine,
        "build",
        "--quiet",
        "--network",
        "none",
        "--file",
        "Containerfile",
        "--build-arg",
        f"PYTHON={base}",
    ]
    stages = {f"{tag}-build": ["--target", "build"], tag: []}  # the first has a name, so that it can be removed, too
    try:
        for name, target in stages.items():
            command = [*build, *target, "--tag", name, "."]
            done = subprocess.run(command, cwd=context, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
        yield tag
    finally:
        subprocess.run([engine, "image", "rm", "--force", *stages], capture_output=True, check=False)


def run(engine: str, image: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """auditproof in a container, as docs/ci.md has it: it may read the folder, and write to /tmp and reports."""
    folder.chmod(0o755)
    confined = ["--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", NOBODY]
    confined += ["--security-opt", "no-new-privileges", "--volume", f"{folder}:/work"]
    command = [engine, "run", *confined, image, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def test_a_policy_is_proven_without_network_root_and_writable_files(engine: str, image: str, tmp_path: Path) -> None:
    """Compared with the base branch of a checkout that belongs to another user."""
    (tmp_path / "prod.yaml").write_text(POLICY)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.test"]
    for command in (["init", "--quiet", "-b", "main"], ["add", "-A"], ["commit", "--quiet", "-m", "one"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports").chmod(0o777)

    arguments = ["--base", "git:main:prod.yaml", "--report", "reports", "-m", "standard"]  # without the self-checks
    done = run(engine, image, tmp_path, "run", "prod.yaml", *arguments)

    assert done.returncode == 0, done.stdout[-4000:]
    results = json.loads((tmp_path / "reports" / "results.json").read_text())
    assert results["decision"]["passes"] is True
    assert results["summary"]["proven"] > 500
    assert (tmp_path / "reports" / "results.json").stat().st_uid == int(NOBODY)


def test_a_mistake_in_the_policy_has_the_same_exit_code_as_outside(engine: str, image: str, tmp_path: Path) -> None:
    (tmp_path / "prod.yaml").write_text(POLICY + "- level: Request\n")
    found = run(engine, image, tmp_path, "lint", "prod.yaml")
    assert (found.returncode, "prod.yaml:6:" in found.stdout) == (1, True), found.stdout
    assert run(engine, image, tmp_path, "lint", "missing.yaml").returncode == 4
