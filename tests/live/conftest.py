"""Real servers for the tests: one run directory a file, and the container engine where there is one."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.binaries.find import find_binaries
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.kind.engine import Engine, find_engine, run
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EVERYTHING = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/live/" in str(item.path):
            item.add_marker("live")
            if item.path.name.startswith("test_kind"):
                item.add_marker("kind")


@pytest.fixture(scope="session", autouse=True)
def environment_of_servers() -> Iterator[None]:
    """What must be built is built before, and a start may take long."""
    with suppress(ClusterError):
        find_binaries("1.37", None, print)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITPROOF_START_TIMEOUT", "180")  # another worker wants the processors, too
        yield


@pytest.fixture(scope="module")
def run_directory() -> Iterator[RunDirectory]:
    """The run of a file's servers, which end with it: twenty that nobody asks anything take two fifths of a core."""
    directory = RunDirectory.create()
    yield directory
    directory.close()


@pytest.fixture(scope="module")
def embedded(run_directory: RunDirectory) -> EmbeddedProvider:
    return EmbeddedProvider(load_profile("embedded"), run_directory, kubernetes="1.37", assets=None, report=print)


@pytest.fixture(scope="session")
def write_policy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes a policy's text to a file of its own."""

    def write(text: str) -> Path:
        path = tmp_path_factory.mktemp("policy") / "policy.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="session")
def everything(write_policy: Callable[[str], Path]) -> Path:
    """A policy that records every request as metadata."""
    return write_policy(EVERYTHING)


@pytest.fixture(scope="session")
def container_engine() -> Engine:
    """The container engine; skips where it or the node image, which AUDITPROOF_IMAGE names, is not there."""
    try:
        engine = find_engine("")
    except ClusterError as error:
        pytest.skip(f"no kind cluster on this machine: {error}")
    image = os.environ.get("AUDITPROOF_IMAGE", "")
    if not image:
        why = os.environ.get("AUDITPROOF_NO_IMAGE", "AUDITPROOF_IMAGE names none")
        pytest.skip(f"no kind cluster without a node image: {why}")
    if run([engine.name, "image", "inspect", image]).returncode:
        pytest.skip(f"no kind cluster: {engine.name} has no image {image}")
    return engine
