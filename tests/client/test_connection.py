"""When an exchange began and ended, by clocks between which a thread may be interrupted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from auditproof.client import connection

if TYPE_CHECKING:
    import pytest


def test_an_interruption_between_the_clocks_ends_no_exchange_before_its_response(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Events are compared with the end of their exchange: it may be given too late, and never too early."""
    begun, now = datetime(2026, 1, 1, tzinfo=UTC), 0.0

    def monotonic() -> float:
        nonlocal now
        now += 0.05  # the thread is interrupted before this clock is read
        return now

    def wall(_: Any) -> datetime:
        return begun + timedelta(seconds=now)

    monkeypatch.setattr(connection, "time", SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr(connection, "datetime", SimpleNamespace(now=wall))
    _, finished = connection._Clock().span()

    assert finished >= begun + timedelta(seconds=now)
