"""Which container engine is taken, in which order, and what is said where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.kind.engine import Engine, NodeContainer, find_engine
from auditproof.errors import ClusterError
from tests.support.programs import program

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH; nothing is chosen, and the cache is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "cache"))
    for name in ("KIND_EXPERIMENTAL_PROVIDER", "KIND"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_engines_are_taken_in_the_order_of_kind(path: Path) -> None:
    """With several engines installed, the choice is the one that kind itself would make."""
    program(path, "podman")
    assert find_engine("") == Engine("podman")
    program(path, "nerdctl")
    assert find_engine("") == Engine("nerdctl")
    program(path, "docker")
    assert find_engine("") == Engine("docker")


def test_the_profile_comes_before_the_variable_of_kind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the profile says wins over KIND_EXPERIMENTAL_PROVIDER, which wins over the order."""
    for name in ("docker", "nerdctl", "podman"):
        program(path, name)
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")

    assert find_engine("") == Engine("podman")
    assert find_engine("nerdctl") == Engine("nerdctl")


def test_without_any_engine_all_are_named(path: Path) -> None:
    with pytest.raises(ClusterError, match="kind needs one of docker, nerdctl, podman: none is on the PATH"):
        find_engine("")


def test_an_engine_that_does_not_answer_is_told_in_its_own_words(path: Path) -> None:
    program(path, "docker", "echo 'Cannot connect to the daemon' >&2; exit 1")

    with pytest.raises(ClusterError, match="docker does not answer: Cannot connect to the daemon"):
        find_engine("")


def test_an_engine_that_nobody_knows_is_refused(path: Path) -> None:
    with pytest.raises(ClusterError, match="expected docker, nerdctl, podman"):
        find_engine("rkt")


def test_a_published_port_is_read(path: Path) -> None:
    program(path, "docker", "echo '6443/tcp -> 127.0.0.1:40001'; echo '6444/tcp -> 127.0.0.1:40002'")

    assert NodeContainer(Engine("docker"), "node").port(6444) == 40002


def test_a_port_or_a_gateway_of_a_node_that_has_ended_is_an_error(path: Path) -> None:
    """The engine prints nothing for a stopped container; the error says why."""
    program(path, "docker", 'if [ "$3" = "{{.State.Status}}" ]; then echo exited; fi')
    node = NodeContainer(Engine("docker"), "node")

    for ask in (node.gateway, lambda: node.port(6443)):
        with pytest.raises(ClusterError, match="the node node has ended: its container is exited"):
            ask()


def test_a_node_that_has_ended_is_told(path: Path) -> None:
    program(path, "docker", "echo exited")

    assert NodeContainer(Engine("docker"), "node").ended() == "the node node has ended: its container is exited"
