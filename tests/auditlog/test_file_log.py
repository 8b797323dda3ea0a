"""Reading the audit log: nothing is lost, nothing is skipped."""

import gzip
import json
import re
from pathlib import Path

import pytest

from auditproof.audit.event import Level, Stage
from auditproof.auditlog.file_log import FileLog
from auditproof.errors import LogUnreadable


def line(audit_id: str, **fields: object) -> bytes:
    event = {"kind": "Event", "level": "Metadata", "auditID": audit_id, "stage": "ResponseComplete", **fields}
    return json.dumps(event).encode() + b"\n"


def anything(_: str) -> bool:
    return True


@pytest.fixture(params=["audit.log", "audit", "[audit] *.log"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path: Path = tmp_path / request.param
    path.write_bytes(line("before"))
    return path


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def rotated_name(path: Path, time: str) -> Path:
    return path.with_name(f"{path.stem}-{time}{path.suffix}")


def rotate(path: Path, time: str) -> None:
    path.rename(rotated_name(path, time))


def compress(path: Path) -> None:
    """As lumberjack does it: a new file, then the old one goes."""
    with gzip.open(f"{path}.gz", "wb") as file:
        file.write(path.read_bytes())
    path.unlink()


def ids(log: FileLog, mark: object) -> list[str]:
    return [event.audit_id for event in log.read(mark, anything).events]


def test_only_what_comes_after_the_mark_is_read(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()

    append(path, line("a") + line("b"))

    assert ids(log, mark) == ["a", "b"]


def test_reading_continues_where_the_last_read_ended(path: Path) -> None:
    log = FileLog(path)
    append(path, line("a"))
    first = log.read(log.mark(), anything)

    append(path, line("b"))

    assert ids(log, first.end) == ["b"]


def test_an_event_knows_its_file_its_offset_its_level_and_its_stage(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()
    append(path, line("a", level="Request", stage="RequestReceived"))

    (event,) = log.read(mark, anything).events

    assert (event.source, event.offset) == (str(path), len(line("before")))
    assert (event.level, event.stage) == (Level.REQUEST, Stage.REQUEST_RECEIVED)


def test_an_unfinished_last_line_is_left_for_the_next_read(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()
    whole = line("a")
    append(path, whole[:20])

    first = log.read(mark, anything)
    append(path, whole[20:])

    assert (first.events, first.problems) == ((), ())
    assert ids(log, first.end) == ["a"]


def test_the_mark_stands_before_an_unfinished_last_line(path: Path) -> None:
    """A mark in the middle of a line would split the event that is being written."""
    log = FileLog(path)
    whole = line("a")
    append(path, whole[:20])
    mark = log.mark()

    append(path, whole[20:])

    assert ids(log, mark) == ["a"]


def test_a_mark_in_a_log_without_any_line_end_is_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b"x" * 200_000)

    assert FileLog(path).mark().offset == 0


def test_a_mark_is_found_behind_a_long_unfinished_line(path: Path) -> None:
    """The last line end is looked for block by block, beyond the first block."""
    append(path, b"x" * 200_000)

    assert FileLog(path).mark().offset == len(line("before"))


@pytest.mark.parametrize(
    "wrong",
    [
        b"not json\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"\n",
        b'"Event"\n',
        b"\x00\xff\n",
        line("a", level="Full"),
        line("a", kind="Pod"),
        line("a", auditID=["a"]),
    ],
    ids=[
        "text",
        "empty-object",
        "list",
        "null",
        "empty",
        "string",
        "bytes",
        "unknown-level",
        "other-kind",
        "listed-id",
    ],
)
def test_a_line_that_is_no_event_is_reported_with_its_place(path: Path, wrong: bytes) -> None:
    log = FileLog(path)
    mark = log.mark()
    append(path, line("a") + wrong + line("b"))

    part = log.read(mark, anything)

    assert [event.audit_id for event in part.events] == ["a", "b"]
    assert len(part.problems) == 1
    assert f"{path}, byte {mark.offset + len(line('a'))}" in part.problems[0]


def test_events_around_a_deep_one_and_the_deep_one_itself_are_found(path: Path) -> None:
    """A body that exceeds Python's recursion limit must not hide an event."""
    log = FileLog(path)
    mark = log.mark()
    deep = line("deep", responseObject="BODY").replace(b'"BODY"', b'{"a":[' * 4500 + b"1" + b"]}" * 4500)
    append(path, line("a") + deep + line("b"))

    part = log.read(mark, anything)

    assert [event.audit_id for event in part.events] == ["a", "deep", "b"]
    assert part.problems == ()
    assert part.events[1].line == deep


def test_a_line_of_ten_megabytes_is_read_whole(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()
    append(path, line("big", responseObject={"data": "x" * 10_000_000}))

    (event,) = log.read(mark, anything).events

    assert len(event.raw["responseObject"]["data"]) == 10_000_000


def test_rotations_between_mark_and_read_lose_nothing(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()
    append(path, line("a"))
    rotate(path, "2026-11-23T06-17-08.714")
    path.write_bytes(line("b"))
    rotate(path, "2026-11-23T06-17-09.001")
    path.write_bytes(line("c"))

    assert ids(log, mark) == ["a", "b", "c"]


def test_a_rotation_between_two_reads_loses_nothing(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()
    append(path, line("a"))
    first = log.read(mark, anything)
    append(path, line("b"))
    rotate(path, "2026-11-23T06-17-08.714")
    path.write_bytes(line("c"))

    assert ids(log, first.end) == ["b", "c"]


def test_a_rotation_between_listing_and_opening_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listed inode is opened, or the list is made again; a path alone would open the new file."""
    log = FileLog(path)
    mark = log.mark()
    append(path, line("a"))
    listed = log._files

    def list_then_rotate() -> list[tuple[int, Path]]:
        answer = listed()
        monkeypatch.setattr(log, "_files", listed)
        rotate(path, "2026-11-23T06-17-08.714")
        path.write_bytes(line("b"))
        return answer

    monkeypatch.setattr(log, "_files", list_then_rotate)
    first = log.read(mark, anything)

    assert [event.audit_id for event in first.events] + ids(log, first.end) == ["a", "b"]


@pytest.mark.parametrize("read_before", [True, False])
def test_compression_of_a_rotated_file_loses_nothing(path: Path, read_before: bool) -> None:
    """Compressing gives the text another inode, so the mark is found by the bytes before it."""
    log = FileLog(path)
    mark = log.mark()
    append(path, line("a"))
    if read_before:
        mark = log.read(mark, anything).end
    append(path, line("b"))
    rotate(path, "2026-11-23T06-17-08.714")
    path.write_bytes(line("c"))
    compress(rotated_name(path, "2026-11-23T06-17-08.714"))

    assert ids(log, mark) == (["b", "c"] if read_before else ["a", "b", "c"])


def test_another_compressed_file_is_not_taken_for_the_one_that_is_missing(path: Path) -> None:
    """A file with other bytes before the mark is another file, whatever its name."""
    log = FileLog(path)
    append(path, line("a"))
    mark = log.mark()
    rotate(path, "2026-11-23T06-17-08.714")
    path.write_bytes(line("b"))
    rotated = rotated_name(path, "2026-11-23T06-17-08.714")
    rotated.write_bytes(rotated.read_bytes().replace(b"a", b"x"))
    compress(rotated)

    with pytest.raises(LogUnreadable, match="deleted or replaced"):
        log.read(mark, anything)


def test_foreign_lines_are_passed_over_where_the_reader_is_told_of_them(path: Path) -> None:
    log = FileLog(path, foreign=lambda text: text.startswith(b"I1124"))
    mark = log.mark()
    append(path, b"I1124 13:00:00.1 1 server.go:1] hello\n" + line("a") + b"E1124 trouble\n")

    found = log.read(mark, anything)

    assert [event.audit_id for event in found.events] == ["a"]
    assert len(found.problems) == 1


def test_an_event_that_is_glued_to_a_cut_one_is_found_and_the_problem_told(path: Path) -> None:
    """A full disk cuts a line, and the next event follows on the same line."""
    log = FileLog(path)
    mark = log.mark()
    append(path, line("cut")[:30] + line("glued").replace(b", ", b",").replace(b": ", b":") + line("next"))

    found = log.read(mark, anything)

    assert [event.audit_id for event in found.events] == ["glued", "next"]
    assert len(found.problems) == 1


def test_a_cut_last_line_of_a_rotated_file_is_reported(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()
    append(path, line("a")[:20])
    rotate(path, "2026-11-23T06-17-08.714")
    path.write_bytes(line("b"))

    part = log.read(mark, anything)

    assert [event.audit_id for event in part.events] == ["b"]
    assert len(part.problems) == 1


def test_a_deleted_log_is_unreadable_and_says_so(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()
    path.unlink()

    with pytest.raises(LogUnreadable, match=re.escape(path.name)):
        log.read(mark, anything)


def test_a_replaced_log_is_unreadable_and_says_so(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()
    other = path.with_name("other")
    other.write_bytes(line("x"))
    other.replace(path)

    with pytest.raises(LogUnreadable, match="deleted or replaced"):
        log.read(mark, anything)


def test_a_truncated_log_is_unreadable_and_says_so(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()
    path.write_bytes(b"")

    with pytest.raises(LogUnreadable, match="truncated"):
        log.read(mark, anything)


def test_a_log_that_was_truncated_and_has_grown_since_is_unreadable(path: Path) -> None:
    """As by a rotation of the kind copytruncate: its length alone tells nothing."""
    log = FileLog(path)
    mark = log.mark()
    path.write_bytes(line("afterw") + line("a"))

    with pytest.raises(LogUnreadable, match="truncated"):
        log.read(mark, anything)


def test_a_log_that_was_truncated_between_two_reads_is_unreadable(path: Path) -> None:
    """The file has grown beyond the mark again, so its size alone shows nothing."""
    log = FileLog(path)
    append(path, line("a"))
    first = log.read(log.mark(), anything)
    path.write_bytes(line("other") * 5)

    with pytest.raises(LogUnreadable, match="truncated"):
        log.read(first.end, anything)


def test_a_log_that_does_not_exist_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(LogUnreadable, match="No such file"):
        FileLog(tmp_path / "audit.log").mark()


def test_only_wanted_events_are_kept_but_every_line_is_counted(path: Path) -> None:
    log = FileLog(path)
    mark = log.mark()
    append(path, line("a") + line("b"))

    part = log.read(mark, lambda event: event.audit_id == "b")

    assert ([event.audit_id for event in part.events], part.lines) == (["b"], 2)
