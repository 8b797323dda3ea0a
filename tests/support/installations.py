"""Environments that are apart from this one: bare, with auditproof installed in them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

OF_OURS = ("AUDITPROOF_", "KUBEBUILDER_", "PYTEST_", "PYTHON", "VIRTUAL_ENV", "COV_")


def bare_environment(**more: str) -> dict[str, str]:
    """The environment of somebody who has set nothing for auditproof, pytest or Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_OURS)}
    return {**kept, "NO_COLOR": "1", "UV_PYTHON_DOWNLOADS": "never", **more}


def run(*command: str | Path, cwd: Path, ok: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it wrote; with ``ok`` it must succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=bare_environment(**more),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert not ok or done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


@dataclass(frozen=True)
class Installation:
    """A virtual environment with auditproof in it."""

    folder: Path

    def __call__(self, name: str, *arguments: str | Path, cwd: Path, ok: bool = True) -> str:
        """Run one of its programs; returns stdout and stderr."""
        done = run(self.folder / "bin" / name, *arguments, cwd=cwd, ok=ok)
        return done.stdout + done.stderr

    def fails(self, name: str, *arguments: str | Path, cwd: Path) -> tuple[int, str]:
        """Run one of its programs, which may fail; returns its exit code, stdout and stderr."""
        done = run(self.folder / "bin" / name, *arguments, cwd=cwd, ok=False)
        return done.returncode, done.stdout + done.stderr


def pythons() -> list[tuple[tuple[int, ...], str]]:
    """The interpreters of this machine that auditproof supports, oldest first: on PATH, and those of pyenv."""
    places = [*map(Path, os.environ["PATH"].split(os.pathsep))]
    places += sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin"))
    found: dict[tuple[int, ...], str] = {tuple(sys.version_info[:2]): sys.executable}
    for program in (file for place in places for file in sorted(place.glob("python3.[0-9][0-9]"))):
        ask = "import sys, ensurepip; print(*sys.version_info[:2])"
        told = subprocess.run([program, "-c", ask], capture_output=True, text=True)
        if told.returncode == 0:
            found.setdefault(tuple(map(int, told.stdout.split())), str(program))
    return sorted((version, path) for version, path in found.items() if version >= (3, 11))
