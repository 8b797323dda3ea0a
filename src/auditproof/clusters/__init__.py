"""Where the proof runs: providers start clusters; a Cluster is a running API server with one policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.clusters.cluster import Provider
    from auditproof.clusters.profile import Profile
    from auditproof.clusters.run.run_directory import RunDirectory


def start_provider(
    profile: Profile,
    run_directory: RunDirectory,
    *,
    kubernetes: str,
    assets: Path | None,
    image: str,
    policy: Path,
    report: Callable[[str], None],
    reuse: bool = False,
) -> Provider:
    """The provider that a profile names; nothing is started yet.

    ``assets`` matters to the embedded provider; ``image`` and ``policy``, the one under proof, to kind and existing,
    ``reuse`` to kind.
    """
    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.existing.provider import ExistingProvider
    from auditproof.clusters.kind.provider import KindProvider

    if profile.provider == "kind":
        return KindProvider(
            profile, run_directory, kubernetes=kubernetes, image=image, policy=policy, report=report, reuse=reuse
        )
    if profile.provider == "existing":
        return ExistingProvider(profile.place, run_directory, kubernetes=kubernetes, policy=policy, report=report)
    return EmbeddedProvider(profile, run_directory, kubernetes=kubernetes, assets=assets, report=report)
