"""The index of envtest releases: archives of etcd, kube-apiserver and kubectl with their SHA-512.

Source: controller-tools' envtest-releases.yaml and setup-envtest (sigs.k8s.io/controller-runtime/tools/setup-envtest).
"""

from __future__ import annotations

import os
import tarfile
import urllib.request
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import yaml

from auditproof.clusters.binaries.download import fetch
from auditproof.clusters.binaries.store import target
from auditproof.clusters.machine import is_full
from auditproof.errors import BinaryNotFound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INDEX = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
TIMEOUT_S = 5.0
_NAMES = {"etcd", "kube-apiserver", "kubectl"}


def download(wanted: str, folder: Path, report: Callable[[str], None]) -> str:
    """Download the newest matching release into ``folder``; return its version.

    $AUDITPROOF_ENVTEST_INDEX names another index (a mirror); links in it may be relative to it. Raises BinaryNotFound
    where the index cannot be reached or has no such release, ClusterError where a checksum does not agree, OSError
    where the disk is full.
    """
    index = os.environ.get("AUDITPROOF_ENVTEST_INDEX", INDEX)
    version, archive = _choose(_read_index(index), wanted, index)
    url = urljoin(index, archive["selfLink"])
    report(f"auditproof: downloading Kubernetes {version} from {url}")
    packed = folder / "archive.tar.gz"
    fetch(url, packed, "sha512", str(archive["hash"]), report)
    _unpack(packed, folder)
    packed.unlink()
    return version


def _read_index(index: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(index, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the user's own choice of URL
            document = yaml.safe_load(answer.read())
    except (OSError, ValueError) as error:
        raise BinaryNotFound(f"the index of envtest releases cannot be reached ({index}): {error}") from None
    except yaml.YAMLError as error:
        raise BinaryNotFound(f"the index of envtest releases is not YAML ({index}): {error}") from None
    releases = document.get("releases") if isinstance(document, dict) else None
    if not isinstance(releases, dict):
        raise BinaryNotFound(f"the index of envtest releases has no releases ({index})")
    return releases


def _choose(releases: dict[str, Any], wanted: str, index: str) -> tuple[str, dict[str, Any]]:
    matching = [v for v in releases if v.removeprefix("v") == wanted or v.startswith(f"v{wanted}.")]
    final = [v for v in matching if v.rpartition(".")[2].isdigit()]  # no alpha, beta or rc
    for version in sorted(final, key=lambda v: int(v.rpartition(".")[2]), reverse=True):
        name = f"envtest-{version}-{target()}.tar.gz"
        if name in releases[version]:
            return version.removeprefix("v"), releases[version][name]
    raise BinaryNotFound(f"the index of envtest releases has no Kubernetes {wanted} for {target()} ({index})")


def _unpack(packed: Path, folder: Path) -> None:
    try:
        with tarfile.open(packed) as archive:
            for member in archive:
                # Only the names count, and no path: an archive cannot write anywhere else.
                name = member.name.rpartition("/")[2]
                content = archive.extractfile(member) if member.isfile() and name in _NAMES else None
                if content is not None:
                    (folder / name).write_bytes(content.read())
                    (folder / name).chmod(0o755)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and is_full(error):
            raise
        raise BinaryNotFound(f"the downloaded archive cannot be unpacked: {error}") from None
    missing = {"etcd", "kube-apiserver"} - {path.name for path in folder.iterdir()}
    if missing:
        raise BinaryNotFound(f"the downloaded archive holds no {' and no '.join(sorted(missing))}")
