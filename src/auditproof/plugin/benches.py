"""Where items are proven: which policy judges them, which one the server runs, and what may be performed together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import NO_SETTINGS, Settings

if TYPE_CHECKING:
    from pathlib import Path


class Batching(StrEnum):
    """Which cases a process may perform together: those that it is sure to run itself."""

    CASE = "case"
    FILE = "file"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where an item wants to be proven: a policy and settings of its own, if any, and their twins broken on purpose."""

    policy: Path | None = None
    sabotage: Path | None = None
    settings: Settings = NO_SETTINGS
    broken_settings: Settings = NO_SETTINGS

    @property
    def has_twin(self) -> bool:
        """Whether it says itself what is to be broken on purpose."""
        return self.sabotage is not None or self.broken_settings != self.settings


@dataclass(frozen=True, slots=True)
class Bench:
    """A policy to judge by, and what the server runs: another policy or other settings only in a sabotage run."""

    policy: Path
    running: Path
    settings: Settings = NO_SETTINGS
