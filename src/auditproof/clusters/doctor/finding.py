"""One line of the doctor, and how the doctor asks other programs."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT_S = 1.5  # for a program that only says its version


class State(StrEnum):
    """OK; MISSING: a run is not possible without it; OPTIONAL: it is not there, and not needed on embedded."""

    OK = "OK"
    MISSING = "missing"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about ``name``; ``command`` mends it, and is empty if nothing has to be done."""

    name: str
    state: State
    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The output of a program that was asked; ``failure`` says why it is of no use, and is empty otherwise."""

    output: str
    failure: str = ""


def ask(command: Sequence[str], limit_s: float = LIMIT_S, variables: Mapping[str, str] | None = None) -> Reply:
    """Run a program that ends soon; after ``limit_s`` seconds it is ended, with all that it has started.

    ``variables`` are added to its environment.
    """
    try:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return Reply("", f"cannot be run: {error.strerror}")
    try:
        output, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return Reply("", f"does not answer within {limit_s:g} s")
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        words = (errors.strip() or output.strip()).splitlines()[:1] or [f"exit code {process.returncode}"]
        return Reply(output, words[0])
    return Reply(output)


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
