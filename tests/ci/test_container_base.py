"""The base image for the test of the Containerfile: the real script, with programs in the place of docker."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.composite import ROOT
from tests.support.programs import program

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = ROOT / ".ci" / "container-base"
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="only a checkout has .ci")


@pytest.mark.parametrize(
    ("docker", "said", "variable"),
    [
        ("exit 1", "no Docker: the Containerfile is not tested", ""),
        ("exit 0", "", "export AUDITPROOF_BASE_IMAGE=auditproof-base:bookworm\n"),
        ('[ "$1" = info ]', "the Containerfile is not tested", ""),
    ],
    ids=["no-docker", "image-is-there", "it-cannot-be-made"],
)
def test_it_never_fails_and_names_only_an_image_that_is_there(
    docker: str, said: str, variable: str, tmp_path: Path
) -> None:
    program(tmp_path / "bin", "docker", docker)
    program(tmp_path / "bin", "debootstrap", "exit 1")
    (file := tmp_path / "variables").touch()
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", SCRIPT, file], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, file.read_text()) == (0, variable)
    assert said in done.stdout
