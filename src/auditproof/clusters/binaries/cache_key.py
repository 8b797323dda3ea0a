"""A key for the cache of a CI system: the same as long as the cache would hold the same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from auditproof.clusters.binaries.build import recipe, source_of, version_in
from auditproof.clusters.binaries.store import target

if TYPE_CHECKING:
    from collections.abc import Sequence


def cache_key(versions: Sequence[str], others: Sequence[str] = ()) -> str:
    """The key for binaries of these Kubernetes versions, and of ``others`` such as kind-v0.33.0, on this machine.

    It names the versions and a digest of the recipe by which they are built. A version without a recipe, which can only
    be downloaded, counts by its name. Raises ClusterError if a recipe builds no Kubernetes.
    """
    digest, names = hashlib.sha256(), []
    for version in versions:
        source = source_of(version)
        name = version
        if source.is_dir():
            built = version_in(source)
            name = built if built.startswith(f"{version}.") else version
            digest.update(recipe(source))
        names.append(name)
    return "-".join(["auditproof", target(), *names, *others, digest.hexdigest()[:12]])
