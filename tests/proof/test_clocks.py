"""No wait goes by the wall clock, which may jump: that one is for showing, and for what others check against it."""

from __future__ import annotations

import ast
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import auditproof
from auditproof.client import connection as wire
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

# Who may ask the wall clock, and what for.
SHOWN = {
    "clusters/stand_ins/event_receiver_process.py": "when a request came",
    "setup/credentials.py": "when a token was issued, which the API server checks",
    "clusters/pki/x509.py": "from when a certificate is valid, which the API server checks",
    "plugin/reporting.py": "when a run began and ended",
    "proof/server_watch.py": "when a request was not sent",
    "report/folder_lock.py": "since when another run has written into a report folder",
    "client/connection.py": "when a request was sent",
    "cli/acknowledged.py": "today's date, on which an acknowledgement may have expired",
    "mcp_server/tools.py": "today's date, on which an entry of a requirements file may have expired",
    "replay/forecast/dumps.py": "when metrics were read that come from a URL or standard input",
    "plugin/options.py": "today's date, on which an entry of the file of acknowledged changes may have expired",
}
WALL = {"time.time", "time.time_ns", "datetime.now", "datetime.datetime.now", "datetime.utcnow", "time.localtime"}


def wall_clocks(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in WALL:
            yield ast.unparse(node)


def test_the_wall_clock_is_for_showing_only() -> None:
    """Every module that reads the wall clock is listed with its reason; a new one must be added to the list."""
    source = Path(auditproof.__file__).parent
    using = {str(file.relative_to(source)) for file in source.rglob("*.py") if list(wall_clocks(file))}

    assert using == set(SHOWN)


@pytest.mark.parametrize("jump", [86400.0, -86400.0])
def test_a_wait_takes_as_long_as_it_says_whatever_the_wall_clock_does(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that jumps by a day neither ends a wait at once nor prolongs it."""
    monkeypatch.setattr(time, "time", lambda: jump)
    looks: list[int] = []
    begun = time.monotonic()

    with pytest.raises(TimedOut):
        wait_until(lambda: looks.append(1), what="nothing", timeout_s=0.2)

    assert 0.2 <= time.monotonic() - begun < 2
    assert len(looks) > 2


def test_a_request_takes_as_long_as_it_did_whatever_the_wall_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is set back during a request must not make it end before it began."""

    class Jumping(datetime):
        """A wall clock that is set back by years between two looks."""

        years = iter((2026, 1999))

        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(next(cls.years), 1, 1, tzinfo=UTC)

    monkeypatch.setattr(wire, "datetime", Jumping)

    started, finished = wire._Clock().span()

    assert 0 <= (finished - started).total_seconds() < 1
