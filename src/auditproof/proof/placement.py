"""Where cases are proven: which policy judges them, and which policy and flags their API server runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import DEFAULT_FLAGS, ServerFlags

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Placement:
    """The policy file that judges, and the policy and flags of the API server.

    ``policy`` None is the run's given policy. ``running`` is the server's policy, None for the one that judges;
    ``settings`` are its flags. ``twin`` is the placement in a sabotage run, whose server is deliberately broken;
    without a twin, the session derives a broken policy.
    """

    policy: Path | None = None
    running: Path | None = None
    settings: ServerFlags = DEFAULT_FLAGS
    twin: Placement | None = None

    @staticmethod
    def of(
        policy: Path | None = None,
        sabotage: Path | None = None,
        settings: ServerFlags = DEFAULT_FLAGS,
        broken_settings: ServerFlags = DEFAULT_FLAGS,
    ) -> Placement:
        """A placement, with a twin if ``sabotage`` (a policy file) or other ``broken_settings`` are given."""
        has_twin = sabotage is not None or broken_settings != settings
        twin = Placement(policy, sabotage, broken_settings) if has_twin else None
        return Placement(policy, None, settings, twin)

    def settings_in(self, *, sabotage: bool) -> ServerFlags:
        """The flags of the API server, in a sabotage run or a normal one."""
        return self.twin.settings if sabotage and self.twin else self.settings


GIVEN = Placement()
