"""The session of a pytest process: the engine's session, with pytest's options and selected items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.proof.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.plugin.options import Options
    from auditproof.report.model import LogRecord

SESSION: pytest.StashKey[AuditSession] = pytest.StashKey()


class AuditSession(Session):
    """Everything that one pytest process needs to prove its items.

    The controller (or a run without workers) owns the run directory and removes it; workers join it.
    """

    options: Options

    def __init__(
        self, options: Options, report: Callable[[str], None], policy_files: PolicyFiles, joined: str | None = None
    ) -> None:
        super().__init__(options, report=report, policy_files=policy_files, joined=joined)
        self.selected: Sequence[pytest.Item] = ()
        self.log_part: LogRecord | None = None  # the report of an offline log, if no actions are performed
        self.recorded_ids: dict[str, str] = {}  # then: the ids of the proofs of requirements
