"""Where the proof runs: providers start clusters; a Cluster is a running API server with one policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.clusters.base import Provider
    from auditproof.clusters.profile import Profile
    from auditproof.clusters.rundir import RunDirectory


def start_provider(
    profile: Profile,
    run_directory: RunDirectory,
    *,
    kubernetes: str,
    assets: Path | None,
    report: Callable[[str], None],
) -> Provider:
    """The provider that a profile names; nothing is started yet."""
    from auditproof.clusters.embedded import Embedded

    return Embedded(profile, run_directory, kubernetes=kubernetes, assets=assets, report=report)
