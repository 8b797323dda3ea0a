"""The cache of binaries: where it is, what is in it, how that came there, who uses it, and emptying it.

A folder that auditproof has put there has a note in it. What has none is used like any other, and never removed. A run
holds a lock (flock) on the folder of the binaries that it uses, which ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shutil
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from filelock import FileLock, Timeout

from auditproof.clusters.machine import cannot
from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KUBERNETES, KIND = "Kubernetes", "kind"  # the two kinds of folders
STORES = {KUBERNETES: "k8s", KIND: "kind"}
NOTE = "made-by-auditproof.json"
MAKING = ".making-"
_FOLDER = re.compile(r"v?(\d+\.\d+\.\d+)-([a-z0-9]+-[a-z0-9_]+)")
_used: dict[Path, int] = {}  # the descriptors by which this process keeps folders, until it ends


@dataclass(frozen=True, slots=True)
class Note:
    """How a folder was made: ``how`` is downloaded or built, ``seconds`` is the time that it took."""

    how: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of the cache: ``what`` is Kubernetes or kind; ``note`` is None if auditproof has not made it."""

    what: str
    version: str
    folder: Path
    note: Note | None

    @property
    def programs(self) -> list[Path]:
        """The programs in it."""
        return sorted(path for path in self.folder.iterdir() if path.is_file() and os.access(path, os.X_OK))

    @property
    def size(self) -> int:
        """Bytes of the programs."""
        return sum(path.stat().st_size for path in self.programs)

    @property
    def made(self) -> float:
        """When it was put there, in seconds since the epoch."""
        note = self.folder / NOTE
        return (note if note.is_file() else self.folder).stat().st_mtime


def cache_folder() -> Path:
    """Where binaries are kept: $AUDITPROOF_CACHE, else the user's cache folder."""
    given = os.environ.get("AUDITPROOF_CACHE")
    return Path(given) if given else platformdirs.user_cache_path("auditproof")


def target() -> str:
    """Name this machine as ``<os>-<arch>`` in Go's words."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def write_note(folder: Path, note: Note) -> None:
    """Say in a folder how it was made. Raises OSError."""
    (folder / NOTE).write_text(json.dumps(asdict(note)) + "\n", encoding="utf-8")


def read_note(folder: Path) -> Note | None:
    """How a folder was made; None if it has no note that can be read."""
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return Note(str(found["how"]), float(found["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def kept(chosen: Callable[[str], bool] = lambda _: True) -> list[Kept]:
    """What the cache holds for this machine and others: Kubernetes of the ``chosen`` versions, and kind.

    Raises ClusterError if the cache cannot be read.
    """
    found = []
    for what, store in STORES.items():
        for folder in _folders(cache_folder() / store):
            name = _FOLDER.fullmatch(folder.name)
            if name and (what == KIND or chosen(name[1])):
                found.append(Kept(what, name[1], folder, read_note(folder)))
    return sorted(found, key=lambda one: (one.what, [int(part) for part in one.version.split(".")], one.folder))


def _folders(store: Path) -> Iterator[Path]:
    try:
        yield from (path for path in store.iterdir() if path.is_dir() and not path.is_symlink())
    except FileNotFoundError:
        return
    except OSError as error:
        raise ClusterError(f"{store}: the cache cannot be read: {error.strerror}") from None


def use(folder: Path) -> bool:
    """Keep a folder from being removed until this process ends; False if it is gone already."""
    if folder in _used and _is_open_as(_used[folder], folder):
        return True
    try:
        descriptor = _locked(folder, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False
    except OSError:  # a file system without locks, for example
        return True
    if descriptor is None:
        return False  # it is being removed
    _used[folder] = descriptor
    return True


def _is_open_as(descriptor: int, folder: Path) -> bool:
    """Whether the folder is still the one that was opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


def _locked(folder: Path, how: int) -> int | None:
    """A descriptor of ``folder`` with a lock; None if another process has one that excludes it. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        if not _is_open_as(descriptor, folder):
            raise FileNotFoundError(folder)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def clear(removed: Sequence[Kept]) -> int:
    """Remove these folders, and what interrupted downloads and builds have left; return how many bytes that frees.

    Raises ClusterError, and removes nothing, if a run uses one of them or a process is filling the cache; and if one
    cannot be removed.
    """
    with ExitStack() as held:
        stores = [cache_folder() / store for store in STORES.values()]
        for store in stores:
            _stop_filling(store, held)
        for one in removed:
            _take(one, held)
        halves = [path for store in stores for path in _folders(store) if path.name.startswith(MAKING)]
        freed = sum(one.size for one in removed) + sum(map(_size, halves))
        for folder in [*(one.folder for one in removed), *halves]:
            _remove(folder)
    return freed


def _stop_filling(store: Path, held: ExitStack) -> None:
    for lock in sorted(store.glob(".*.lock")):
        try:
            held.enter_context(FileLock(lock, timeout=0))
        except Timeout:
            raise ClusterError(f"another process is filling {store} now: nothing was removed; wait for it") from None
        except OSError as error:
            raise cannot(f"{store} cannot be emptied", error, store, "AUDITPROOF_CACHE") from None


def _take(one: Kept, held: ExitStack) -> None:
    with suppress(OSError):  # what is gone, or cannot be locked, is dealt with when it is removed
        descriptor = _locked(one.folder, fcntl.LOCK_EX)
        if descriptor is None:
            raise ClusterError(f"a run uses {one.folder}: nothing was removed; try again when it has ended")
        held.callback(os.close, descriptor)


def _remove(folder: Path) -> None:
    """Under another name first, so that nobody finds half of it."""
    aside = folder.with_name(f"{MAKING}removed-{os.getpid()}-{folder.name}")
    try:
        folder.rename(aside)
        shutil.rmtree(aside)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ClusterError(f"{folder} cannot be removed: {error.strerror}") from None


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
