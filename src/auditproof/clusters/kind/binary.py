"""The program kind: given, found on the PATH or in the cache, or downloaded or built into the cache.

A release is in a folder of its version as ``kind-<os>-<arch>``, with its checksum next to it
(hack/release/build/cross.sh of kind). It is built from its Go module where the releases cannot be reached.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from auditproof.clusters.binaries.build import go_program, run_build
from auditproof.clusters.binaries.download import fetch
from auditproof.clusters.binaries.find import cache_folder, target
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
    if found:
        return Path(found)
    store = cache_folder() / "kind"
    program = store / f"{VERSION}-{target()}" / "kind"
    if not program.is_file():
        store.mkdir(parents=True, exist_ok=True)
        with FileLock(store / f".{VERSION}.lock"):
            if not program.is_file():  # another run may have made it meanwhile
                _make(program, report)
    return program


def _make(program: Path, report: Callable[[str], None]) -> None:
    """Make it next to the final place and rename it, so that what is there is complete."""
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=program.parent.parent))
    tried = [f"not on the PATH, not in {program.parent.parent}"]
    try:
        for source in (_download, _build):
            try:
                source(making, report)
            except BinaryNotFound as error:
                tried.append(str(error))
                continue
            program.parent.mkdir(exist_ok=True)
            (making / "kind").rename(program)
            return
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
