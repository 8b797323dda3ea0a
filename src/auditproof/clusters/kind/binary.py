"""The program kind: given, found on the PATH or in the cache, or downloaded or built into the cache.

A release is in a folder of its version as ``kind-<os>-<arch>``, with its checksum next to it
(hack/release/build/cross.sh of kind). It is built from its Go module where the releases cannot be reached.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from auditproof.clusters.binaries.build import go_program, run_build
from auditproof.clusters.binaries.download import fetch
from auditproof.clusters.binaries.find import waiting_for
from auditproof.clusters.binaries.store import KIND, MAKING, STORES, Note, cache_folder, target, use, write_note
from auditproof.clusters.machine import cannot
from auditproof.errors import BinaryNotFound, ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "v0.33.0"  # what is built; any newer or older one on the PATH will do
MODULE = "sigs.k8s.io/kind"
RELEASES = "https://github.com/kubernetes-sigs/kind/releases/download"
TIMEOUT_S = 5.0
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def find_kind(report: Callable[[str], None]) -> Path:
    """The program kind; first hit wins: $KIND, the PATH, the cache, the releases of kind, ``go install``.

    $AUDITPROOF_KIND_RELEASES names another place of releases (a mirror). ``report`` takes lines of progress. Raises
    BinaryNotFound with every place that was tried, ClusterError where $KIND names no program, a checksum does not
    agree or the build fails.
    """
    given = os.environ.get("KIND")
    if given:
        found = shutil.which(given)
        if found is None:
            raise ClusterError(f"KIND is {given!r}: expected the path of the program kind")
        return Path(found)
    found = shutil.which("kind")
    return Path(found) if found else fetch_kind(report)[0]


def fetch_kind(report: Callable[[str], None]) -> tuple[Path, Note | None]:
    """The program kind from the cache, or put there; what $KIND and the PATH have does not count.

    The note says how this process has put it there; it is None if it was there. Raises BinaryNotFound with every place
    that was tried, or if the cache cannot be written; ClusterError where a checksum does not agree or the build fails.
    """
    program = cached_kind()
    store = program.parent.parent
    if _is_held(program):
        return program, None
    try:
        store.mkdir(parents=True, exist_ok=True)
        with waiting_for(FileLock(store / f".{VERSION}.lock"), f"kind {VERSION}", report):
            if _is_held(program):  # another run may have made it meanwhile
                return program, None
            return program, _make(program, report)
    except OSError as error:
        existing = next(folder for folder in (store, *store.parents) if folder.is_dir())
        what = "kind cannot be put into the cache"
        raise BinaryNotFound(str(cannot(what, error, existing, "AUDITPROOF_CACHE"))) from None


def cached_kind() -> Path:
    """Where the program kind is in the cache, or would be."""
    return cache_folder() / STORES[KIND] / f"{VERSION}-{target()}" / "kind"


def _is_held(program: Path) -> bool:
    """Whether the program is in the cache; then it stays there until this process ends."""
    return program.is_file() and use(program.parent)


def _make(program: Path, report: Callable[[str], None]) -> Note:
    """Make it next to the final place and rename it, so that what is there is complete."""
    making = Path(tempfile.mkdtemp(prefix=MAKING, dir=program.parent.parent))
    tried = [f"not on the PATH, not in {program.parent.parent}"]
    try:
        for how, source in (("downloaded", _download), ("built", _build)):
            started = time.monotonic()
            try:
                source(making, report)
            except BinaryNotFound as error:
                tried.append(str(error))
                continue
            note = Note(how, round(time.monotonic() - started, 1))
            program.parent.mkdir(exist_ok=True)
            write_note(program.parent, note)
            (making / "kind").rename(program)
            use(program.parent)
            return note
    finally:
        shutil.rmtree(making, ignore_errors=True)
    places = "\n  ".join(tried)
    raise BinaryNotFound(f"kind is not available:\n  {places}\ninstall it, or name it in the variable KIND")


def _download(making: Path, report: Callable[[str], None]) -> None:
    releases = os.environ.get("AUDITPROOF_KIND_RELEASES", RELEASES).rstrip("/")
    url = f"{releases}/{VERSION}/kind-{target()}"
    sums = f"{url}.sha256sum"
    try:
        with urllib.request.urlopen(sums, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the user's own choice of URL
            words: list[str] = answer.read(1024).decode(errors="replace").split()
    except (OSError, ValueError) as error:
        raise BinaryNotFound(f"the releases of kind cannot be reached ({sums}): {error}") from None
    if not words or not _SHA256.fullmatch(words[0]):
        raise BinaryNotFound(f"the releases of kind have no checksum there ({sums})")
    report(f"auditproof: downloading kind {VERSION} from {url}")
    fetch(url, making / "kind", "sha256", words[0], report)
    (making / "kind").chmod(0o755)


def _build(making: Path, report: Callable[[str], None]) -> None:
    go = go_program()
    report(f"auditproof: building {MODULE}@{VERSION} once")
    environment = {**os.environ, "GOBIN": str(making), "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}
    command = [go, "install", "-trimpath", "-ldflags", "-s -w", f"{MODULE}@{VERSION}"]
    run_build(command, making, environment, "kind", report)
