"""The policies that a run was given: POLICY and its base, wherever they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.clusters.policy_sources import STDIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from auditproof.audit.policy.load import Policy
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.clusters.policy_sources import PolicySource


HOW_TO_GIVE = "give --audit-policy FILE, set AUDITPROOF_POLICY, or write audit_policy = FILE into pytest's ini file"
OR_NAME_ONE = f"{HOW_TO_GIVE}; a case file or a test may also name a policy of its own"


@dataclass(frozen=True, slots=True)
class GivenPolicy:
    """A policy with where it was found."""

    source: PolicySource
    policy: Policy


def given_policy(
    config: pytest.Config,
    given: str,
    folder: Path,
    files: PolicyFiles,
    *,
    shown: Callable[[Path], str],
    kubernetes: str,
) -> GivenPolicy:
    """The policy that ``given`` names, relative to ``folder``; ``shown`` is what messages call a file.

    Raises SourceError.
    """
    if given.partition("#")[0] == STDIN:
        # Give the process the standard input that it was started with; pytest takes it again with the first
        # test.
        capture = config.pluginmanager.getplugin("capturemanager")
        if capture is not None:
            capture.suspend_global_capture(in_=True)
    source = files.choose(given, folder, shown)
    return GivenPolicy(source, files.load(source.path, kubernetes=kubernetes, name=source.place.name))
