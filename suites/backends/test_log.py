"""The log backend: what its modes, formats and files carry to the reader, and what becomes of it when the file goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.disk import fill
from auditproof.plugin.pipe import require

if TYPE_CHECKING:
    from auditproof.plugin.pipe import Pipe

pytestmark = [pytest.mark.backends, pytest.mark.audit_policy("../../fixtures/policies/backends.yaml")]

FULL = {"path": "{disk:1m}/audit.log"}
ROOMY = {"path": "{disk:64m}/audit.log"}


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(
            mode,
            marks=pytest.mark.audit_server(audit_log={"mode": mode}, sabotage={"audit_log": {"path": "/dev/null"}}),
        )
        for mode in ("blocking", "blocking-strict", "batch")
    ],
)
def test_every_mode_carries_everything_to_the_file(pipe: Pipe, mode: str) -> None:
    """Every event is in the file, and the fence shows that it is."""
    account = pipe.perform(20)

    require(account, recorded=20, lost=0, unproven=0, written_off=0)
    assert not account.doubts, account.doubts[0]


@pytest.mark.audit_server(audit_log={"mode": "blocking", **FULL}, sabotage={"audit_log": {"mode": "blocking", **ROOMY}})
def test_a_full_disk_loses_events_in_blocking_mode_and_no_request_notices(pipe: Pipe) -> None:
    """Blocking: on a full disk requests are served, their events are lost, and every loss is counted."""
    account = pipe.perform(20, midway=lambda: fill(pipe.disk))

    require(account, recorded=10, lost=10, refused=0)
    assert account.errors.get("log"), "the server counts no error of the log"
