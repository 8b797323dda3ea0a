"""The program kind: given, found on the PATH or in the cache, or built into the cache from its Go module."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from auditproof.clusters.binaries import cache_folder, target
from auditproof.clusters.building import go_program, run_build
from auditproof.errors import BinaryNotFound, ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "v0.33.0"  # what is built; any newer or older one on the PATH will do
MODULE = "sigs.k8s.io/kind"


def find_kind(report: Callable[[str], None]) -> Path:
    """The program kind; first hit wins: $KIND, the PATH, the cache, ``go install``.

    ``report`` takes lines of progress. Raises BinaryNotFound where it is nowhere and cannot be built, ClusterError
    where $KIND names no program or the build fails.
    """
    given = os.environ.get("KIND")
    if given:
        return _given(given)
    found = shutil.which("kind")
    return Path(found) if found else _cached(report)


def _given(given: str) -> Path:
    found = shutil.which(given)
    if found is None:
        raise ClusterError(f"KIND is {given!r}: expected the path of the program kind")
    return Path(found)


def _cached(report: Callable[[str], None]) -> Path:
    store = cache_folder() / "kind"
    program = store / f"{VERSION}-{target()}" / "kind"
    if not program.is_file():
        store.mkdir(parents=True, exist_ok=True)
        with FileLock(store / f".{VERSION}.lock"):
            if not program.is_file():  # another run may have made it meanwhile
                _build(program, report)
    return program


def _build(program: Path, report: Callable[[str], None]) -> None:
    """Build beside the final place and rename, so that what is there is complete."""
    go = _go()
    report(f"auditproof: kind is not on the PATH; building {MODULE}@{VERSION} once")
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=program.parent.parent))
    try:
        environment = {**os.environ, "GOBIN": str(making), "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}
        command = [go, "install", "-trimpath", "-ldflags", "-s -w", f"{MODULE}@{VERSION}"]
        run_build(command, making, environment, "kind", report)
        program.parent.mkdir(exist_ok=True)
        (making / "kind").rename(program)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _go() -> str:
    try:
        return go_program()
    except BinaryNotFound as error:
        raise BinaryNotFound(
            f"kind is not on the PATH and not in {cache_folder() / 'kind'}, and {error}; "
            "install kind, or name it in the variable KIND"
        ) from None
