"""The built packages, and environments in which nothing else is installed.

The registry is asked for what is not in uv's cache yet; everything else is on this machine.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from auditproof import content
from tests.support.installations import Installation, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOT = content.root()


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the source distribution of this tree."""
    folder = tmp_path_factory.mktemp("packages")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="session")
def wheel(packages: Path) -> Path:
    (found,) = packages.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Installation]:
    """Installs the wheel in an environment: ``install(python, "--resolution=lowest-direct", extra="mcp")``.

    Tests that ask for the same share it.
    """

    def make(python: str | Path, *options: str, extra: str = "") -> Installation:
        return environment(str(python), options, extra)

    @cache
    def environment(python: str, options: tuple[str, ...], extra: str) -> Installation:
        folder = tmp_path_factory.mktemp("environment")
        what: list[str | Path] = [f"auditproof[{extra}] @ {wheel.as_uri()}" if extra else wheel]
        if "--resolution=lowest-direct" in options:  # what is direct is what this file lists
            what += ["-r", ROOT / "pyproject.toml", *(f"--extra={name}" for name in extra.split(",") if name)]
        run(find_uv_bin(), "venv", "--quiet", "--clear", "--python", python, folder, cwd=folder)
        to = ("--quiet", "--python", folder / "bin" / "python")
        run(find_uv_bin(), "pip", "install", *to, *options, *what, cwd=folder)
        return Installation(folder)

    return make
