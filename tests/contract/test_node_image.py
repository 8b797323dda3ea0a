"""What CI does to get a node image: the real script, with small programs in the place of docker, id and the recipe."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).parents[2] / ".ci" / "node-image"
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="only a checkout has .ci")


class Machine:
    """A machine as the script sees it: ``image`` is what docker has, ``daemon`` whether one answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables = folder / "variables"
        self.variables.touch()
        self.limit = folder / "limit"
        self.limit.write_text("1024\n")
        self.settings = {
            "KINDLAB": str(folder / "lab"),
            "AUDITPROOF_NODE_IMAGE_RECIPE": str(folder / "recipe"),
            "AUDITPROOF_INOTIFY_LIMIT": str(self.limit),
        }
        (folder / "lab").mkdir()
        self.put("bin/id", "echo 0")
        self.put("bin/apt-get", "exit 0")
        self.put("bin/docker", f'case "$1" in info) test -e {folder}/daemon ;; *) cat {folder}/images ;; esac')

    def put(self, name: str, script: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def run(self, word: str, **settings: str) -> str:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", str(SCRIPT), word, str(self.variables)],
            env={"PATH": path, "HOME": str(self.folder), **self.settings, **settings},
            capture_output=True,
            text=True,
            check=True,
            cwd=self.folder,
        )
        return done.stdout

    def set(self) -> dict[str, str]:
        """The variables that the script has left."""
        words = shlex.split(self.variables.read_text())
        return dict(word.split("=", 1) for word in words if "=" in word)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_image_that_is_given_is_all_that_is_needed(machine: Machine) -> None:
    machine.run("begin", AUDITPROOF_IMAGE="mine:1")
    assert machine.set() == {}


def test_an_image_that_docker_has_is_taken_with_the_recipes_kind(machine: Machine) -> None:
    (machine.folder / "images").write_text("kind-node:v1.37.2\n")
    machine.put("lab/bin/kind", "exit 0")

    machine.run("begin")

    assert machine.set() == {
        "AUDITPROOF_IMAGE": "kind-node:v1.37.2",
        "KIND": str(machine.folder / "lab" / "bin" / "kind"),
    }


def test_a_limit_that_is_too_low_for_several_nodes_is_raised_meanwhile(machine: Machine) -> None:
    (machine.folder / "images").write_text("kind-node:v1.37.2\n")
    machine.limit.write_text("128\n")

    machine.run("begin")
    raised = machine.limit.read_text()
    machine.run("end")

    assert raised == "512\n"
    assert machine.limit.read_text() == "128\n"


def test_the_recipe_starts_docker_and_makes_the_image(machine: Machine) -> None:
    machine.put("recipe/build", f"touch {machine.folder}/daemon; echo kind-node:v1 >{machine.folder}/images; echo made")

    output = machine.run("begin")

    assert "node image: made" in output
    assert machine.set()["AUDITPROOF_IMAGE"] == "kind-node:v1"
    assert machine.set()["started"] == str(machine.folder / "lab" / "dockerd.pid")


def test_a_daemon_that_answered_before_is_nobodys_to_end(machine: Machine) -> None:
    (machine.folder / "daemon").touch()
    machine.put("recipe/build", f"echo kind-node:v1 >{machine.folder}/images")

    machine.run("begin")

    assert "started" not in machine.set()


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [(None, "no recipe"), ("echo no privileges; exit 1", "failed"), ("exit 0", "left no image"), ("sleep 60", "took")],
)
def test_without_an_image_the_reason_is_told_and_nothing_fails(
    machine: Machine, recipe: str | None, reason: str
) -> None:
    if recipe:
        machine.put("recipe/build", recipe)

    output = machine.run("begin", AUDITPROOF_NODE_IMAGE_MINUTES="0.01")

    assert reason in output
    assert reason in machine.set()["AUDITPROOF_NO_IMAGE"]
    assert "AUDITPROOF_IMAGE" not in machine.set()


def test_nobody_but_root_builds(machine: Machine) -> None:
    machine.put("bin/id", "echo 1000")
    machine.put("recipe/build", "exit 0")

    assert "needs root" in machine.run("begin")


@pytest.fixture
def process(machine: Machine) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is called dockerd, as the recipe would leave it."""
    shutil.copy("/bin/sleep", machine.folder / "dockerd")
    with subprocess.Popen([machine.folder / "dockerd", "60"]) as process:
        (machine.folder / "lab" / "dockerd.pid").write_text(str(process.pid))
        yield process
        process.kill()


def test_the_daemon_that_was_started_is_ended(machine: Machine, process: subprocess.Popen[bytes]) -> None:
    machine.variables.write_text(f"started={machine.folder}/lab/dockerd.pid\n")

    collector = threading.Thread(target=process.wait)  # a child of ours stays a zombie until somebody waits for it
    collector.start()
    output = machine.run("end")
    collector.join(10)

    assert "ending the Docker daemon" in output
    assert process.returncode == -15


def test_another_process_with_that_id_is_left_alone(machine: Machine) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        (machine.folder / "lab" / "dockerd.pid").write_text(str(other.pid))
        machine.variables.write_text(f"started={machine.folder}/lab/dockerd.pid\n")

        machine.run("end")

        assert other.poll() is None
        other.kill()
