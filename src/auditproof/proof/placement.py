"""Where cases are proven: which policy judges them, and what their API server runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import NO_SETTINGS, Settings

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Placement:
    """A policy file to judge by, and what the API server runs.

    ``policy`` None is the policy that the run was given; ``running`` is the policy of the server, None for the one that
    judges, and ``settings`` are its flags. ``twin`` is the placement in a sabotage run, whose server is broken on
    purpose; without one the session breaks the policy itself.
    """

    policy: Path | None = None
    running: Path | None = None
    settings: Settings = NO_SETTINGS
    twin: Placement | None = None

    @staticmethod
    def of(
        policy: Path | None = None,
        sabotage: Path | None = None,
        settings: Settings = NO_SETTINGS,
        broken_settings: Settings = NO_SETTINGS,
    ) -> Placement:
        """A placement with the twin that ``sabotage`` (a policy file) and ``broken_settings`` make, if they do."""
        has_twin = sabotage is not None or broken_settings != settings
        twin = Placement(policy, sabotage, broken_settings) if has_twin else None
        return Placement(policy, None, settings, twin)

    def settings_in(self, *, sabotage: bool) -> Settings:
        """The flags of the API server, in a run that is a sabotage run or not."""
        return self.twin.settings if sabotage and self.twin else self.settings


GIVEN = Placement()
