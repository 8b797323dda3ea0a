"""A policy is read once in a run: what is judged is what a server gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.policy_files import PolicyFiles
from auditproof.clusters.run.run_directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def run() -> Iterator[RunDirectory]:
    directory = RunDirectory.create()
    yield directory
    directory.close()


def test_a_file_that_is_replaced_after_it_was_read_is_not_read_again(run: RunDirectory, tmp_path: Path) -> None:
    """A server must get the bytes that the verdicts are computed from, even if the file changes meanwhile."""
    policy = tmp_path / "policy.yaml"
    policy.write_bytes(b"judged")
    files = PolicyFiles()
    assert files.read(policy) == b"judged"

    policy.write_bytes(b"replaced")
    files.share(run)

    assert files.read(policy) == b"judged"
    assert run.read_once(policy) == b"judged", "what the server gets"


def test_a_process_that_joins_has_what_the_first_one_read(run: RunDirectory, tmp_path: Path) -> None:
    """The first process that reads a file decides its content for the whole run."""
    policy, other = tmp_path / "policy.yaml", tmp_path / "other.yaml"
    policy.write_bytes(b"judged")
    other.write_bytes(b"first")
    controller = PolicyFiles()
    controller.read(policy)
    controller.share(run)
    policy.write_bytes(b"replaced")

    worker = PolicyFiles(RunDirectory.open(str(run.path)))
    assert worker.read(policy) == b"judged"
    assert worker.read(other) == b"first"
    other.write_bytes(b"second")

    assert controller.read(other) == b"first", "read in a worker, shared by all"


def test_a_file_that_is_not_there_is_told(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PolicyFiles(run).read(tmp_path / "none.yaml")
