"""What each backend and mode sustains without loss, and how long requests take meanwhile: a bounded load, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.testing import require

if TYPE_CHECKING:
    from auditproof.testing import BackendServer

pytestmark = [pytest.mark.backends, pytest.mark.audit_policy("../../fixtures/policies/backends.yaml")]

REQUESTS = 400
NOWHERE = {"audit_log": {"path": "/dev/null"}}
RECEIVER = {"audit-webhook-config-file": "{receiver}", "audit-webhook-initial-backoff": "10ms"}
# A batch of 400 every 0.1 s is the default throttle of 10 a second; only the wait is shorter than the default 30 s.
BATCH = {**RECEIVER, "audit-webhook-mode": "batch", "audit-webhook-batch-max-wait": "200ms"}


def log(mode: str) -> pytest.MarkDecorator:
    return pytest.mark.audit_server(audit_log={"mode": mode}, sabotage=NOWHERE)


def webhook(mode: str, **flags: str) -> pytest.MarkDecorator:
    mine = {**(BATCH if mode == "batch" else RECEIVER), "audit-webhook-mode": mode}
    broken = {**mine, "audit-webhook-config-file": "{receiver:status=503}"}
    no_log = {"path": None}
    return pytest.mark.audit_server(audit_log=no_log, flags=mine, sabotage={"audit_log": no_log, "flags": broken})


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(pytest.param("log", mode, marks=log(mode)) for mode in ("blocking", "blocking-strict", "batch")),
        *(pytest.param("webhook", mode, marks=webhook(mode)) for mode in ("batch", "blocking")),
    ],
)
def test_a_bounded_load_arrives_without_loss(backend: BackendServer, kind: str, mode: str) -> None:
    """Every event of a bounded load arrives, the fence shows that it does, and nobody else may read the file."""
    requests = REQUESTS if (kind, mode) != ("webhook", "blocking") else REQUESTS // 4
    account, load = backend.load(requests)

    require(account, recorded=requests, lost=0, unproven=0, written_off=0)
    assert not account.doubts, account.doubts[0]
    if kind == "log":
        assert [oct(path.stat().st_mode & 0o777) for path in (backend.log, backend.log.parent)] == ["0o600", "0o700"]
    if (kind, mode) == ("log", "blocking"):
        backend.note_load(backend.unrecorded_load(requests), "none", "excluded by the policy")
    backend.note_load(load, kind, mode, account)
