"""What an attestation is bound to: auditproof, Python, the servers and their flags, each as a digest.

Everything is read and hashed again in every run. Sizes and times of files are not relied on, because they can be set.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import site
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from auditproof import content
from auditproof.clusters.binaries.find import Binaries, cached_binaries, given_assets, given_binaries
from auditproof.errors import BinaryNotFound, ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.clusters.profile import Profile

PACKAGE = Path(__file__).resolve().parents[1]
CONTENT = ("suites", "fixtures", "clusters", "conftest.py")
_INSTALLED = (".dist-info", ".egg-info", ".egg-link", ".pth")  # a name of these has the version of a package
# Variables that change what Go programs, kube-apiserver, etcd or Python do.
_VARIABLES = ("GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK")
_VARIABLES_OF = ("KUBE_", "ETCD_", "LD_", "PYTHON")


class Subject(BaseModel):
    """With what the reference suites were proven; digests are SHA-256 in hexadecimal.

    ``sources``: every file of auditproof, its suites, fixtures and profiles. ``packages``: the names and versions of
    the installed Python packages. ``profile``: provider, number of servers and flags of the cluster profile.
    ``environment``: the variables that change what the servers or Python do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: str
    python: str
    packages: str
    kubernetes: str
    kube_apiserver: str
    etcd: str
    profile: str
    environment: str

    def differences(self, other: Subject) -> list[str]:
        """What is different in ``other``, in words; nothing if they are the same."""
        return [text for name, text in _WORDS.items() if getattr(self, name) != getattr(other, name)]

    @property
    def digest(self) -> str:
        """The SHA-256 of all of it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


_WORDS = {
    "sources": "the files of auditproof",
    "python": "Python",
    "packages": "the installed Python packages",
    "kubernetes": "the version of Kubernetes",
    "kube_apiserver": "kube-apiserver",
    "etcd": "etcd",
    "profile": "the flags of the cluster profile",
    "environment": "the environment variables of the servers",
}


def present_binaries(kubernetes: str, assets: Path | None) -> Binaries | None:
    """The binaries that a run takes, if they are there already; None if they are not, or are unusable.

    ``kubernetes`` and ``assets`` are those of ``find_binaries``; nothing is downloaded or built.
    """
    wanted, folder = kubernetes.removeprefix("v"), assets or given_assets()
    try:
        return given_binaries(folder, wanted) if folder is not None else cached_binaries(wanted, hold=True)
    except (BinaryNotFound, ClusterError, OSError):
        return None  # the run itself reports it


def subject_of(binaries: Binaries, profile: Profile) -> Subject:
    """The subject of a run with these servers: every file is read now. Raises OSError."""
    flags = [profile.provider, profile.servers, sorted(profile.audit_log.items()), sorted(profile.flags.items())]
    return Subject(
        sources=_digest(sources()),
        python=f"{platform.python_implementation()} {sys.version} {sys.platform} {platform.machine()}",
        packages=_digest(packages()),
        kubernetes=binaries.version,
        kube_apiserver=file_digest(binaries.kube_apiserver),
        etcd=file_digest(binaries.etcd),
        profile=_digest([json.dumps(flags)]),
        environment=_digest(f"{name}={os.environ[name]}" for name in sorted(os.environ) if _is_relevant(name)),
    )


def sources() -> Iterator[str]:
    """Every file of auditproof and of what it ships, with its digest: but not Python's caches. Raises OSError."""
    for root in (PACKAGE, *(content.root() / name for name in CONTENT)):
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        for path in files:
            if "__pycache__" not in path.parts and path.is_file():
                yield f"{root.name} {path.relative_to(root)} {file_digest(path)}"


def packages() -> list[str]:
    """The packages in the folders of this Python, by the names of their metadata, which have the version."""
    scheme = sysconfig.get_paths()
    folders = {scheme["purelib"], scheme["platlib"], *site.getsitepackages()}
    folders |= {site.getusersitepackages()} if site.ENABLE_USER_SITE else set()
    return sorted(
        name
        for folder in folders
        if Path(folder).is_dir()
        for name in os.listdir(folder)  # noqa: PTH208 - names alone
        if name.endswith(_INSTALLED)
    )


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_relevant(variable: str) -> bool:
    return variable in _VARIABLES or variable.startswith(_VARIABLES_OF)


def _digest(parts: Iterable[str]) -> str:
    """The SHA-256 of texts, none of which can be mistaken for a part of another."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()
