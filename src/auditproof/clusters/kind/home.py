"""Where the files of a kind cluster are: in the folder of its run, or in one of the cache that outlives runs.

A folder that outlives runs is locked by the run that uses it. A second run at the same time makes a cluster of its own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from auditproof.clusters.binaries.store import cache_folder
from auditproof.clusters.pki.x509 import write_private
from auditproof.clusters.run import reaper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from auditproof.clusters.run.run_directory import RunDirectory

PREFIX = "auditproof-"
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class ClusterFolder:
    """The folder of a kind cluster: ``servers`` is what its node sees, ``name`` the cluster's name."""

    path: Path
    servers: Path
    name: str
    reusable: bool = False

    @staticmethod
    def of_run(run: RunDirectory) -> ClusterFolder:
        """The home of a cluster that ends with its run."""
        return ClusterFolder(run.path, run.path / "servers", f"{PREFIX}{_short(str(run.path))}")

    @staticmethod
    def in_cache(digest: str) -> ClusterFolder:
        """The home of the cluster with this digest, which outlives runs."""
        folder = homes() / digest
        name = f"{PREFIX}reuse-{_short(str(folder))}"  # of the path, because there may be several caches
        return ClusterFolder(folder, folder / "servers", name, reusable=True)

    @property
    def undo(self) -> Path:
        """A shell script that removes the cluster."""
        return self.path / "kind-undo"

    @property
    def owner(self) -> Path:
        """A file that names the folder of the run that uses the cluster, or was the last to use it."""
        return self.path / "owner"

    @property
    def _record(self) -> Path:
        return self.path / "reusable.json"

    def before(self) -> list[str] | None:
        """What was in the cluster when it was new (see kind_leftovers); None where it was never complete."""
        try:
            found: list[str] = json.loads(self._record.read_text())["before"]
        except (OSError, ValueError, KeyError):
            return None
        return found

    def remember(self, before: Sequence[str]) -> None:
        """Note that the cluster is complete, and what is in it."""
        write_private(self._record, json.dumps({"name": self.name, "before": before}, indent=1).encode())

    def remove(self) -> str | None:
        """Remove the cluster and its files; call it with the lock held. Return what went wrong, None if nothing did."""
        self._record.unlink(missing_ok=True)
        problem = (reaper.run_script(self.undo) or None) if self.undo.exists() else None
        for path in () if problem else self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path not in (self.owner, self.path / _LOCK):
                path.unlink(missing_ok=True)
        return problem

    def lock(self) -> FileLock | None:
        """The lock of this home, held until it is released or the process ends; None where another run has it."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(self.path / _LOCK, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def homes() -> Path:
    """The folder of all homes that outlive runs."""
    return cache_folder() / "kind-clusters"


def remove_reusable(report: Callable[[str], None], *, dry_run: bool = False) -> int:
    """Remove every kind cluster that was kept to be used again, but for those that a run uses right now.

    ``report`` takes a line for each; ``dry_run`` removes none. Returns how many are left that should not be, because
    they are used or could not be removed.
    """
    found = [ClusterFolder.in_cache(folder.name) for folder in sorted(homes().iterdir())] if homes().is_dir() else []
    if not found:
        report(f"no kind cluster was kept in {homes()}")
    return sum(_remove(home, report, dry_run) for home in found)


def _remove(home: ClusterFolder, report: Callable[[str], None], dry_run: bool) -> bool:
    """Remove one; return whether it is left that should not be."""
    lock = home.lock()
    if lock is None:
        report(f"the kind cluster {home.name} is being used by another run: it stays")
        return True
    problem = None if dry_run else home.remove()
    if not problem and not dry_run:
        shutil.rmtree(home.path, ignore_errors=True)
    lock.release()
    report(problem or f"{'would remove' if dry_run else 'removed'} the kind cluster {home.name}")
    return bool(problem)
