"""Every form of log that docs/inputs.md lists, read from a file of that form; and what hostile or cut text costs."""

from __future__ import annotations

import gzip
import io
import json
import re
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from auditproof.auditlog.forms import Opened, Opening, Passed, Refused, UnwrappedEvent, opening
from auditproof.auditlog.offline_log import ForeignFile

ROOT = Path(__file__).parent.parent.parent
FORMS = Path(__file__).parent / "forms"
ROWS = [
    [cell.strip() for cell in line.strip("|\n ").split(" | ")]
    for line in (ROOT / "docs" / "inputs.md").read_text().splitlines()
    if "tests/auditlog/forms/" in line
]
OPENED = {re.findall(r"\[(.*?)\]", row[-1])[0]: row[0] for row in ROWS if len(row) == 4}
NAMED = {re.findall(r"\[(.*?)\]", row[-1])[0]: row[1] for row in ROWS if len(row) == 3}
EVENTS = [json.loads(line) for line in (FORMS / "json-lines.log").read_text().splitlines()]
EVENT = json.dumps(EVENTS[0])


def opened(data: bytes | str) -> list[Opened]:
    return list(Opening(io.BytesIO(data.encode() if isinstance(data, str) else data)).read())


def held(data: bytes | str) -> list[UnwrappedEvent]:
    return [each for each in opened(data) if isinstance(each, UnwrappedEvent)]


def reasons(data: bytes | str) -> list[tuple[int, str]]:
    return [(each.line, each.reason) for each in opened(data) if isinstance(each, Refused)]


def test_every_sample_is_in_the_table_and_every_row_has_a_sample() -> None:
    """docs/inputs.md promises no form that is not read here."""
    assert {path.name for path in FORMS.iterdir()} == OPENED.keys() | NAMED.keys()


@pytest.mark.parametrize("name", OPENED)
def test_a_form_is_opened_to_the_same_events_and_named_as_in_the_table(name: str) -> None:
    """Each sample holds the same events, so nothing but the envelope may differ."""
    file = ForeignFile(FORMS / name, name)

    events = [dict(event.raw) for event in file.read()]

    known = EVENTS[0].keys() | EVENTS[1].keys()
    assert [{key: event[key] for key in event.keys() & known - {"apiVersion"}} for event in events] == [
        {key: value for key, value in event.items() if key != "apiVersion"} for event in EVENTS
    ]
    assert set(file.forms) == {OPENED[name]}
    assert file.invalid == []


@pytest.mark.parametrize("name", NAMED)
def test_what_holds_no_audit_event_is_named_in_one_sentence(name: str) -> None:
    file = ForeignFile(FORMS / name, name)

    assert list(file.read()) == []
    assert file.invalid_lines > 0
    ((_, reason),) = file.invalid
    assert NAMED[name].strip("`") in reason


def test_the_line_is_that_of_the_outer_file() -> None:
    """A finding must lead to the line in the user's file, not in the opened envelope."""
    assert [each.line for each in held((FORMS / "pretty-list.json").read_bytes())] == [
        number
        for number, line in enumerate((FORMS / "pretty-list.json").read_text().splitlines(), 1)
        if line.startswith("  {")
    ]
    assert [each.line for each in held((FORMS / "cri.log").read_bytes())] == [1, 2, 5]
    assert [each.line for each in held(f"\n\n{EVENT}\n\n[\n{EVENT},\n{EVENT}\n]\n")] == [3, 6, 7]


def test_what_is_surely_of_another_log_is_passed_over_and_counted() -> None:
    passed = [each for each in opened((FORMS / "kubectl-logs.txt").read_bytes()) if isinstance(each, Passed)]

    assert [(each.line, each.log) for each in passed] == [(2, "the API server's own messages")]


def test_a_message_that_holds_an_audit_id_is_not_passed_over() -> None:
    """What may be a damaged event is reported, even among the server's own messages."""
    assert reasons(f"I1123 10:00:00.000000       1 x.go:1] {EVENT}\n") == [(1, "not an audit event: it is not JSON")]


LINE = EVENT[:-1] + ',"requestObject":{"data":"' + "x" * 400_000


@pytest.mark.parametrize(
    ("text", "who"),
    [
        (LINE[:10_000] + "[Truncated...]", "Amazon CloudWatch cut it at 10,000 characters"),
        (LINE[:10_000], "Amazon CloudWatch cuts at 10,000 characters"),
        ("2026-11-23T10:00:00Z kube-apiserver-audit-1 " + LINE[:10_000], "Amazon CloudWatch cuts at 10,000 characters"),
        (LINE[: 16 * 1024], "cut at 16 KiB"),
        (LINE[: 256 * 1024], "Amazon CloudWatch and Loki cut at 256 KiB"),
        (json.dumps({"properties": {"log": LINE[: 16 * 1024]}}), "Azure's diagnostic settings cut at 16 KiB"),
        (json.dumps({"log_s": LINE[:32_766]}), "32,766 bytes"),
        (LINE[:5000], "it ends within its JSON, after 5,000 bytes"),
    ],
)
def test_a_cut_event_says_who_cut_it_and_costs_one_line(text: str, who: str) -> None:
    """The events before and after it are read."""
    ((line, reason),) = reasons(f"{EVENT}\n{text}\n{EVENT}\n")

    assert line == 2
    assert who in reason
    assert "the rest of this event is lost" in reason
    assert [each.line for each in held(f"{EVENT}\n{text}\n{EVENT}\n")] == [1, 3]


@pytest.mark.parametrize(
    "hostile",
    [
        "{broken",
        '{"a":1,',
        '{"a":',
        '{"a":[',
        "{",
        "[" * 100_000,
        '{"a":' * 20_000,
        '{"a":"',
        '{"a":"\\',
        "}",
        "]",
        "garbage",
        '{"kind":"Event"} trailing',
        "\x00",
        "[1,2]",
        '{"a":NaN}',
        "9" * 10_000,
        '"text"',
        "2026-11-23T10:00:00Z stdout F {broken",
        '{"log":"{broken","stream":"stdout"}\n{"log":"\\n","stream":"stdout"}',
    ],
)
def test_one_hostile_line_costs_one_bad_line(hostile: str) -> None:
    """The events around it are read, and the reason is in plain words, not Python's."""
    data = f"{EVENT}\n{hostile}\n{EVENT}\n{EVENT}\n"

    last = 2 + hostile.count("\n")
    assert [each.line for each in held(data)] == [1, last + 1, last + 2]
    ((line, reason),) = [(line, reason) for line, reason in reasons(data) if "kind" not in reason]
    assert line == 2
    assert not re.search(r"Expecting|codec|line 1 column|object is not|Error", reason)


def test_bytes_that_are_not_utf_8_cost_their_line() -> None:
    ((line, reason),) = reasons(EVENT.encode() + b'\n{"a":"\xff"}\n' + EVENT.encode())

    assert (line, reason) == (2, "not an audit event: it is not UTF-8")


def test_a_broken_element_of_a_list_over_many_lines_costs_itself() -> None:
    pretty = json.dumps(EVENTS, indent=2).replace('"verb": "create"', '"verb": create')

    assert [each.raw["auditID"][-1] for each in held(pretty)] == ["1", "3"]
    assert len(reasons(pretty)) == 1


def test_a_broken_event_over_many_lines_costs_itself() -> None:
    events = [json.dumps(event, indent=2) for event in EVENTS]
    cut = events[1][:300]

    assert [each.raw["auditID"][-1] for each in held("\n".join([events[0], cut, events[2]]))] == ["1", "3"]
    assert len(reasons("\n".join([events[0], cut, events[2]]))) == 1


def test_a_key_that_is_twice_in_an_event_is_refused_in_every_shape(tmp_path: Path) -> None:
    """Go takes the last one and other readers the first: what was recorded is not known."""
    for name, text in (("line", EVENT), ("pretty", json.dumps(EVENTS[0], indent=2)), ("list", f"[{EVENT}]")):
        path = tmp_path / name
        path.write_text(text.replace('"level"', '"level": "Request", "level"'))
        file = ForeignFile(path, name)
        assert list(file.read()) == []
        assert 'duplicate key "level"' in file.invalid[0][1]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04 and so on", "a zip archive: unpack it"),
        (b"\x28\xb5\x2f\xfd and so on", "compressed by zstd"),
        (b"x" * 257 + b"ustar", "a tar archive"),
        (gzip.compress(b"x" * 257 + b"ustar", mtime=0), "a tar archive"),
    ],
)
def test_a_packed_file_is_named(data: bytes, said: str) -> None:
    ((line, reason),) = reasons(data)

    assert line == 1
    assert said in reason


def test_a_compressed_file_that_is_not_whole_is_read_to_its_break() -> None:
    """A rotated file that is still being compressed, or a download that broke off."""
    whole = gzip.compress((f"{EVENT}\n" * 1000).encode(), compresslevel=0)

    assert 0 < len(held(whole[: len(whole) // 2])) < 1000
    assert "the compressed file is not whole" in reasons(whole[: len(whole) // 2])[-1][1]
    assert "the compressed file is damaged" in reasons(whole + b"and more")[-1][1]


def test_an_event_within_an_event_is_never_taken_for_one() -> None:
    """What a client sent may look like an event; it is looked for where products put events, and nowhere else."""
    body = {"kind": "ConfigMap", "data": {"message": EVENT}, "message": EVENT, "log": EVENT}
    event = json.loads(EVENT) | {"auditID": "outer", "requestObject": body}

    assert [each.raw["auditID"] for each in held(json.dumps(event))] == ["outer"]
    assert held(json.dumps({"kind": "ConfigMap", "spec": {"message": EVENT}})) == []


def test_an_empty_list_of_events_holds_nothing_wrong() -> None:
    assert opened('{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]}\n') == []


def test_yaml_that_refers_to_itself_is_not_followed() -> None:
    """A few bytes of aliases can expand to gigabytes."""
    bomb = "items:\n- a: &a [x, x]\n  b: &b [*a, *a]\n"

    assert "aliases are not read" in reasons(bomb)[-1][1]
    assert "it is not YAML from here on" in reasons("apiVersion: audit.k8s.io/v1\nitems:\n- a: [\n")[-1][1]


def _sized(count: int) -> Any:
    class Endless(io.RawIOBase):
        """A list on one line, made as it is read."""

        def __init__(self) -> None:
            self.left = count

        def read(self, size: int = -1) -> bytes:
            if self.left == count:
                self.left -= 1
                return b'{"kind":"EventList","items":[' + EVENT.encode()
            if self.left < 0:
                return b""
            self.left -= 100
            return (("," + EVENT) * 100).encode() if self.left >= 0 else b"]}\n"

    return Endless()


def test_a_list_of_any_length_is_read_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """An export is one JSON list of any size: it is read element by element."""
    line = 1 << 16
    monkeypatch.setattr(opening, "LONGEST_LINE", line)
    count = 16 * line // len(EVENT)
    tracemalloc.start()
    try:
        seen = sum(isinstance(each, UnwrappedEvent) for each in Opening(_sized(count)).read())
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert seen > count - 200
    assert most < 6 * line


@pytest.mark.parametrize(
    "text", ["{}" * 50_000, "{" * 50_000, '{"a":\n' * 5_000, "[\n" * 5_000, "[{" * 20_000, "{]" * 20_000]
)
def test_hostile_text_is_read_in_linear_time(text: str) -> None:
    begun = time.process_time()
    assert not held(text)
    assert time.process_time() - begun < 20
