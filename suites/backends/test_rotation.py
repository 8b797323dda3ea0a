"""Rotation of the log: reading across it loses nothing; what it removes is gone, and no counter says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.testing import WRITER, large, require, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.testing import BackendServer

pytestmark = [
    pytest.mark.backends,
    pytest.mark.audit_spoils,
    pytest.mark.audit_policy("../../fixtures/policies/backends.yaml"),
]

SMALL = {"maxsize": "1", "maxbackup": "0", "maxage": "0"}
OLD = "audit-2020-01-01T00-00-00.000.log"


def rotated(backend: BackendServer) -> list[Path]:
    return sorted(backend.log.parent.glob("audit-*"))


@pytest.mark.covers("T31")
@pytest.mark.audit_server(audit_log=SMALL, sabotage={"audit_log": {**SMALL, "maxsize": "0"}})
def test_reading_across_rotations_loses_nothing_but_an_event_larger_than_a_file_is_not_written(
    backend: BackendServer,
) -> None:
    """maxsize: reading across rotations loses nothing; an event larger than a file is not written, and counted."""
    across = backend.perform(actions=large(40), identity=WRITER)
    too_large = backend.perform(actions=large(2, size=600_000), identity=WRITER)

    require(across, recorded=40, lost=0, written_off=0)
    assert len(rotated(backend)) >= 2, f"{len(rotated(backend))} rotated files of 1 MiB, expected at least 2"
    assert {oct(path.stat().st_mode & 0o777) for path in rotated(backend)} == {"0o600"}
    require(too_large, recorded=0, lost=2, refused=0)
    assert too_large.errors == {"log": 2}, too_large.errors


@pytest.mark.audit_server(
    audit_log={**SMALL, "compress": "true"}, sabotage={"audit_log": {**SMALL, "compress": "false"}}
)
def test_compressed_files_are_read_too(backend: BackendServer) -> None:
    """compress: nothing is lost while files are compressed, and afterwards they are read, too."""
    meanwhile = backend.perform(actions=large(40), identity=WRITER)
    wait_until(
        lambda: all(path.suffix == ".gz" for path in rotated(backend)) or None,
        what="the rotated files to be compressed",
        timeout_s=5,
    )
    afterwards = backend.perform(5)

    require(meanwhile, recorded=40, lost=0)
    require(afterwards, recorded=5, lost=0)
    assert afterwards.lines == afterwards.events, f"{afterwards.lines} lines of {afterwards.events} events"
    assert len(rotated(backend)) >= 2, "fewer than 2 files were rotated"


@pytest.mark.audit_server(audit_log={**SMALL, "maxbackup": "1"}, sabotage={"audit_log": SMALL})
def test_what_rotation_removes_is_gone_and_no_counter_says_so(backend: BackendServer) -> None:
    """maxbackup: older files are removed, no counter says that their events are gone, and nothing is proven."""
    account = backend.perform(actions=large(60), identity=WRITER)

    require(account, written_off=0, lost=0)
    assert account.unproven, f"{account.text()}; expected some whose events were removed"
    assert account.events is not None and account.lines is not None
    backend.say(f"{account.events - account.lines} of {account.events} events were removed; errors counted: none")


@pytest.mark.audit_server(
    audit_log={**SMALL, "path": "{disk:16m}/audit.log", "maxage": "1"},
    sabotage={"audit_log": {**SMALL, "path": "{disk:16m}/audit.log"}},
)
def test_a_file_older_than_maxage_is_removed_at_the_next_rotation(backend: BackendServer) -> None:
    """maxage: a file from 2020 is removed at the next rotation, by the time in its name."""
    old = backend.disk / OLD
    old.write_text("{}\n")
    backend.perform(actions=large(15), identity=WRITER)

    wait_until(lambda: not old.exists() or None, what="the file of 2020 to be removed", timeout_s=3)
    assert len(rotated(backend)) >= 1, "nothing was rotated"


@pytest.mark.audit_server(
    audit_log={"maxage": "30", "maxbackup": "10", "maxsize": "100"}, sabotage={"audit_log": {"path": "/dev/null"}}
)
def test_the_flags_of_the_tutorial_carry_everything(backend: BackendServer) -> None:
    """The tutorial's flags (maxage 30, maxbackup 10, maxsize 100): everything arrives, until 1.1 GB are written."""
    account = backend.perform(actions=large(20), identity=WRITER)

    require(account, recorded=20, lost=0, unproven=0)
    assert account.lines
    mean = backend.log.stat().st_size / account.lines
    backend.say(f"11 files of 100 MiB hold {11 * 100 * 1024**2 / mean:,.0f} events of {mean / 1024:.0f} KiB, as here")


@pytest.mark.audit_server(audit_log=SMALL, sabotage={"audit_log": SMALL, "flags": {"v": "0{unharmed}"}})
def test_a_folder_that_cannot_be_written_stops_the_log_at_the_next_rotation(backend: BackendServer) -> None:
    """Folder unwritable: the open file is written on until the next rotation, then events are lost, and counted."""

    def replace_folder() -> None:
        backend.log.parent.rename(backend.log.parent.with_name("moved"))
        backend.log.parent.write_text("this is no folder\n")

    account = backend.perform(actions=large(30), identity=WRITER, midway=backend.harm(replace_folder))

    require(account, recorded=0, unproven=30, refused=0)
    assert account.errors.get("log"), f"no loss is counted: {account.errors}"
    backend.log.parent.unlink()
    backend.log.parent.with_name("moved").rename(backend.log.parent)
    require(backend.perform(5), recorded=5)
