"""etcd and kube-apiserver: found, downloaded or built, and kept in a cache that is laid out as setup-envtest's store.

First hit wins: a folder that is given (option or KUBEBUILDER_ASSETS); our cache, then setup-envtest's own store; the
index of envtest releases; the Go modules of Kubernetes and etcd, built here. What lands in the cache is complete: it is
made in a folder next to it and renamed, under a lock, so that two runs never make the same thing twice.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from filelock import FileLock, Timeout

from auditproof.clusters.binaries import build as building
from auditproof.clusters.binaries import envtest
from auditproof.clusters.binaries.store import MAKING, Note, cache_folder, target, use, write_note
from auditproof.clusters.machine import cannot
from auditproof.errors import BinaryNotFound, ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIVEN_LIMIT_S = 30.0
NAMES = ("etcd", "kube-apiserver")
_VERSION = re.compile(r"v?(1\.\d+)(?:\.(\d+))?$")


@dataclass(frozen=True, slots=True)
class Binaries:
    """The two server binaries, and the Kubernetes version of the API server, e.g. 1.37.2."""

    etcd: Path
    kube_apiserver: Path
    version: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """Binaries out of the cache; ``note`` says how this process has put them there, None if they were there."""

    binaries: Binaries
    note: Note | None


def find_binaries(kubernetes: str, assets: Path | None, report: Callable[[str], None]) -> Binaries:
    """The binaries of Kubernetes ``kubernetes`` (a minor, or an exact version).

    ``report`` takes lines of progress. Raises BinaryNotFound with every place that was tried, or if a given folder is
    unusable or has another version; ClusterError if it is no version, or a given program does not run.
    """
    wanted = kubernetes.removeprefix("v")
    if not _VERSION.match(wanted):
        raise ClusterError(f"{kubernetes!r} is no Kubernetes version: expected something like 1.37 or 1.37.2")
    folder = assets or given_assets()
    return given_binaries(folder, wanted) if folder is not None else fetch_binaries(wanted, report).binaries


def given_assets() -> Path | None:
    """The folder that KUBEBUILDER_ASSETS names; None if it names none."""
    return Path(os.environ["KUBEBUILDER_ASSETS"]) if os.environ.get("KUBEBUILDER_ASSETS") else None


def fetch_binaries(wanted: str, report: Callable[[str], None]) -> Fetched:
    """The binaries of a version from the cache, or put there; a given folder does not count.

    ``report`` takes lines of progress. Raises BinaryNotFound with every place that was tried, or if the cache cannot be
    written; ClusterError if a checksum does not agree or a build fails.
    """
    try:
        found = cached_binaries(wanted, hold=True)
        return Fetched(found, None) if found else _fetched(wanted, report)
    except OSError as error:
        what = f"etcd and kube-apiserver of Kubernetes {wanted} cannot be put into the cache"
        existing = next(folder for folder in (cache_folder(), *cache_folder().parents) if folder.is_dir())
        raise BinaryNotFound(str(cannot(what, error, existing, "AUDITPROOF_CACHE"))) from None


def given_binaries(folder: Path, wanted: str, limit_s: float = GIVEN_LIMIT_S) -> Binaries:
    """The binaries in a given folder; its API server has ``limit_s`` seconds to say its version.

    Raises BinaryNotFound if the folder has not both, or another version; ClusterError if the API server does not run.
    """
    missing = [name for name in NAMES if not _is_executable(folder / name)]
    if missing:
        raise BinaryNotFound(
            f"{folder} holds no executable {' and no executable '.join(missing)}: expected both etcd and kube-apiserver"
        )
    kube_apiserver = folder / "kube-apiserver"
    try:
        done = subprocess.run(
            [kube_apiserver, "--version"], capture_output=True, text=True, timeout=limit_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(f"{kube_apiserver} --version does not answer: {error}") from None
    words = done.stdout.split()
    if done.returncode or not words:
        raise ClusterError(f"{kube_apiserver} --version says {done.stdout + done.stderr!r}: is this a kube-apiserver?")
    version = words[-1].removeprefix("v")
    if not satisfies(version, wanted):
        raise BinaryNotFound(
            f"{folder / 'kube-apiserver'} is Kubernetes {version}, expected {wanted}: "
            "give another folder, or that version with --kubernetes"
        )
    return Binaries(folder / "etcd", folder / "kube-apiserver", version)


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def satisfies(version: str, wanted: str) -> bool:
    """Whether a version is the wanted one, or a patch of the wanted minor."""
    return version == wanted or (wanted.count(".") == 1 and version.startswith(f"{wanted}."))


def cached_binaries(wanted: str, *, hold: bool = False) -> Binaries | None:
    """The newest patch of what is wanted, out of our cache or setup-envtest's own store; None if there is none.

    ``hold`` keeps it from being removed until this process ends.
    """
    for store in (cache_folder() / "k8s", platformdirs.user_data_path("kubebuilder-envtest") / "k8s"):
        found = [folder for folder in store.glob(f"*-{target()}") if satisfies(_folder_version(folder), wanted)]
        for folder in sorted(found, key=_patch, reverse=True):
            if all(_is_executable(folder / name) for name in NAMES) and not (hold and not use(folder)):
                return Binaries(folder / "etcd", folder / "kube-apiserver", _folder_version(folder))
    return None


def _folder_version(folder: Path) -> str:
    return folder.name.removesuffix(f"-{target()}")


def _patch(folder: Path) -> int:
    last = _folder_version(folder).rpartition(".")[2]
    return int(last) if last.isdigit() else -1


def _fetched(wanted: str, report: Callable[[str], None]) -> Fetched:
    store = cache_folder() / "k8s"
    store.mkdir(parents=True, exist_ok=True)
    report(f"auditproof: Kubernetes {wanted} is not in {store} yet")
    lock = FileLock(store / f".{'.'.join(wanted.split('.')[:2])}-{target()}.lock")
    with waiting_for(lock, f"Kubernetes {wanted}", report):
        found = cached_binaries(wanted, hold=True)  # another run may have made it meanwhile
        return Fetched(found, None) if found else _make(wanted, store, report)


@contextmanager
def waiting_for(lock: FileLock, what: str, report: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock of the cache; says so if another process has it, and waits. Raises OSError."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report(f"auditproof: another process is fetching {what}: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(wanted: str, store: Path, report: Callable[[str], None]) -> Fetched:
    making = store / f"{MAKING}{wanted}-{target()}"
    shutil.rmtree(making, ignore_errors=True)  # left by a run that was killed: the lock says that nobody is at it now
    tried: list[str] = [f"no folder given, nothing in {store}"]
    try:
        for how, source in (("downloaded", envtest.download), ("built", building.build)):
            making.mkdir()
            started = time.monotonic()
            try:
                version = source(wanted, making, report)
            except BinaryNotFound as error:
                tried.append(str(error))
                report(f"auditproof: {error}")
                shutil.rmtree(making)
                continue
            note = Note(how, round(time.monotonic() - started, 1))
            write_note(making, note)
            final = store / f"{version}-{target()}"
            # Renamed when complete: a folder in the store is never half a release.
            making.rename(final)
            use(final)
            return Fetched(Binaries(final / "etcd", final / "kube-apiserver", version), note)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    raise BinaryNotFound(f"etcd and kube-apiserver of Kubernetes {wanted} are not available:\n  " + "\n  ".join(tried))
