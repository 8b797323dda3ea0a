"""Starts the server of the given policy while pytest collects, because its start takes about as long."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError
from auditproof.plugin.asked import distributes
from auditproof.plugin.failures import shows_nothing
from auditproof.plugin.reference import selects

if TYPE_CHECKING:
    import pytest

    from auditproof.plugin.session import Sessions


def start_early(config: pytest.Config, sessions: Sessions) -> None:
    """Begin to start it, if it is certain that the run needs it."""
    if _is_needed(config, sessions):
        with suppress(AuditproofError):  # it is reported when the servers are needed
            sessions.first.start_early()


def _is_needed(config: pytest.Config, sessions: Sessions) -> bool:
    """Whether cases are generated from the given policy and none can be deselected, and the binaries are there."""
    read = sessions.first.options
    needed = read.policy_given and read.coverage is not None and not read.recorded and not read.sabotage
    if not needed or selects(config) or sessions.versions or shows_nothing(config) or distributes(config):
        return False
    return read.profile.provider == "embedded" and sessions.first.present_binaries is not None
