"""The engine counts exactly what ``decide`` says about every event, in every form of log, and names what it cannot."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
import zstandard

from auditproof.audit.decide import decide
from auditproof.audit.event import Level
from auditproof.audit.policy.load import parse_policy
from auditproof.errors import AuditproofError
from auditproof.proof.offline import asked_by
from auditproof.replay.bodies import line_of
from auditproof.replay.duckdb_engine import read_log
from auditproof.replay.inputs.found import find_logs
from auditproof.replay.query import PolicyColumns
from auditproof.replay.summary import summarize

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.policy.load import Policy
    from auditproof.replay.result import Replay

POLICY = b"""\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  userGroups: ["system:nodes"]
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: Request
  resources: [{group: "", resources: [pods]}]
- level: RequestResponse
  namespaces: [shop]
- level: None
  nonResourceURLs: ["/health*"]
- level: Metadata
"""


@pytest.fixture
def policy() -> Policy:
    return parse_policy(POLICY, "new.yaml")


def replayed(policy: Policy, *logs: Path | str, base: Policy | None = None) -> Replay:
    new, old = PolicyColumns(policy), PolicyColumns(base, "_base") if base else None
    with read_log(find_logs(map(str, logs)).files, [one for one in (new, old) if one]) as read:
        return summarize(read.sums, new, old, read.troubles.all(), files=read.files, forms=dict(read.forms))


def without_names(found: Replay) -> Replay:
    return replace(found, files=0, forms={}, in_python=0)


def after(event: dict[str, Any], policy: Policy) -> int:
    """The bytes that the policy records of an event, of which nothing is raised."""
    decision = decide(policy, asked_by(event))
    if decision.level is Level.NONE or event["stage"] in decision.omit_stages:
        return 0
    level = min(decision.level, Level(event["level"]))
    left = {**event, "level": str(decision.level)}
    if level < Level.REQUEST_RESPONSE:
        left.pop("responseObject", None)
    if level < Level.REQUEST:
        left.pop("requestObject", None)
    return len(line_of(left)) + 1


def test_every_byte_of_the_log_is_counted_before_and_after(
    tmp_path: Path, log: bytes, events: list[dict[str, Any]], policy: Policy
) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(log)

    found = replayed(policy, path)

    assert (found.recorded.events, found.recorded.bytes) == (len(events), len(log))
    assert found.after.bytes == sum(after(event, policy) for event in events)
    assert found.not_counted == ()
    for parts in (found.rules, found.levels, found.verbs, found.resources, found.users, found.by_day):
        assert sum(one.recorded.bytes for one in parts) == len(log)
        assert sum(one.after.bytes for one in parts) == found.after.bytes
    changes = found.changes
    assert changes.dropped.events == 9
    assert changes.lowered.events == changes.kept.events == 3
    assert changes.raised.events == 6
    assert [one.name for one in found.by_day] == ["2026-11-01", "2026-11-02", "2026-11-03"]


def test_a_log_has_the_same_sums_in_every_form(
    tmp_path: Path, log: bytes, events: list[dict[str, Any]], policy: Policy
) -> None:
    (tmp_path / "plain.log").write_bytes(log)
    half = len(log) // 2
    forms = {
        "packed.gz": gzip.compress(log),
        "two-members.gz": gzip.compress(log[:half]) + gzip.compress(log[half:]),
        "packed.zst": zstandard.compress(log[:half]) + zstandard.compress(log[half:]),
        "list.json": json.dumps({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": events}).encode(),
        "spaced.json": b"\n".join(json.dumps(event, indent=1).encode() for event in events),
        "collected.log": b"".join(json.dumps({"log": line_of(event).decode()}).encode() + b"\n" for event in events),
        "no-last-break.log": log.removesuffix(b"\n"),
        "dos.log": log.replace(b"\n", b"\r\n"),
    }
    wanted = without_names(replayed(policy, tmp_path / "plain.log"))
    for name, text in forms.items():
        (tmp_path / name).write_bytes(text)
        assert without_names(replayed(policy, tmp_path / name)) == wanted, name


def test_files_of_folders_globs_and_stores_are_each_read_once(tmp_path: Path, log: bytes, policy: Policy) -> None:
    folder = tmp_path / "logs"
    (folder / "old").mkdir(parents=True)
    (folder / "audit.log").write_bytes(log)
    (folder / "audit-2026-11-01T00-00-00.000.log").write_bytes(log)
    (folder / "audit-2026-11-01T00-00-00.000.log.gz").write_bytes(gzip.compress(log)[:50])  # is just being written
    (folder / "old" / "audit.log.gz").write_bytes(gzip.compress(log))
    with fsspec.open("memory://bucket/audit.log.gz", "wb") as file:
        file.write(gzip.compress(log))

    assert replayed(policy, folder, folder / "audit.log").recorded.bytes == 3 * len(log)
    assert replayed(policy, f"{folder}/audit*").recorded.bytes == 2 * len(log)
    assert replayed(policy, "memory://bucket/*.gz", f"file://{folder}/audit.log").recorded.bytes == 2 * len(log)
    assert "audit.log" in find_logs([str(folder / "audit.log")]).remarks[0]


@pytest.mark.parametrize("name", ["audit", "[audit] **", "audit.log.1"])
def test_a_log_may_have_any_name(tmp_path: Path, log: bytes, policy: Policy, name: str) -> None:
    (tmp_path / name).write_bytes(log)
    (tmp_path / f"{name}-2026-11-01T00-00-00.000").write_bytes(log)

    assert replayed(policy, tmp_path / name).recorded.bytes == len(log)
    assert replayed(policy, tmp_path).recorded.bytes == 2 * len(log)


def test_what_is_no_event_is_named_by_file_and_line(tmp_path: Path, log: bytes, policy: Policy) -> None:
    good = log.splitlines(keepends=True)
    broken = [good[0], good[1][:80] + b"\n", b"\n", b"\xff\xfe\n", good[2].replace(b'"verb"', b'"verbs"'), good[3]]
    (tmp_path / "broken.log").write_bytes(b"".join(broken))
    (tmp_path / "cut.log.gz").write_bytes(gzip.compress(log)[:-20])
    (tmp_path / "cut.log.zst").write_bytes(zstandard.compress(log)[:-20])
    (tmp_path / "empty.log").write_bytes(b"")
    (tmp_path / "readme.txt").write_text("nothing here\n")

    found = replayed(policy, tmp_path)

    where = {one.where.removeprefix(f"{tmp_path}/"): one for one in found.not_counted}
    assert set(where) >= {"broken.log:2", "broken.log:4", "broken.log:5", "empty.log", "readme.txt", "cut.log.zst"}
    assert any(name.startswith("cut.log.gz") for name in where)
    assert "verb is missing" in where["broken.log:5"].reason
    assert "UTF-8" in where["broken.log:4"].reason
    assert "no audit event in this file" in where["readme.txt"].reason


def test_a_line_that_is_too_long_to_be_read_is_named(tmp_path: Path, log: bytes, policy: Policy) -> None:
    good = log.splitlines(keepends=True)
    long = good[0].replace(b'"id-0"', b'"' + b"x" * (5 << 20) + b'"')
    (tmp_path / "audit.log").write_bytes(good[1] + long + good[2])
    (tmp_path / "packed.gz").write_bytes(gzip.compress(good[1] + good[2] + long + good[3]))

    found = replayed(policy, tmp_path)

    assert found.recorded.events == 5
    assert {one.where.removeprefix(f"{tmp_path}/") for one in found.not_counted} == {"audit.log:2", "packed.gz:3"}
    assert all("a line of more than 4 MiB" in one.reason for one in found.not_counted)


def test_a_body_that_was_not_recorded_is_bounded_by_measured_ones_or_unknown(
    tmp_path: Path, log: bytes, events: list[dict[str, Any]], policy: Policy
) -> None:
    (tmp_path / "audit.log").write_bytes(log)
    everything = parse_policy(
        b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]", "all.yaml"
    )

    unknown = replayed(everything, tmp_path / "audit.log").unknown

    # Three leases without request and response, three pods without response, six secrets without response.
    assert unknown.bodies == 3 * 2 + 3 + 6
    assert unknown.unmeasured == 6
    response = len(json.dumps(events[1]["responseObject"], separators=(",", ":"))) + len(',"responseObject":')
    request = len(line_of({"requestObject": events[1]["requestObject"]})) - 1
    assert unknown.most_bytes == unknown.estimated_bytes == 3 * (request + response) + 3 * response


def test_the_log_is_compared_with_what_the_base_records(tmp_path: Path, log: bytes, policy: Policy) -> None:
    (tmp_path / "audit.log").write_bytes(log)

    found = replayed(policy, tmp_path / "audit.log", base=policy)

    assert found.base_volume == found.after
    assert {(one.recorded, one.computed): one.events for one in found.deviations} == {
        ("Metadata", "None"): 6,
        ("RequestResponse", "None"): 3,
        ("RequestResponse", "Request"): 3,
        ("Metadata", "RequestResponse"): 6,
    }


def test_a_log_that_is_not_there_is_an_error_that_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    for given, words in (
        (tmp_path / "no.log", "no such file or folder"),
        (tmp_path / "none", "there is no file there"),
        (f"{tmp_path}/*.gz", "there is no file there"),
        ("memory://no/where.log", "no such file"),
        ("nostore://bucket/x", "cannot be read"),
    ):
        with pytest.raises(AuditproofError, match=words):
            find_logs([str(given)])
