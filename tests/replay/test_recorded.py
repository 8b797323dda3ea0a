"""A recorded log judged with the help of SQL gives the same report as one judged line by line in Python."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.analysis.requirements import load_requirements
from auditproof.audit.policy.load import Policy, load_policy, parse_policy
from auditproof.plugin.offline import OfflineRun, read_logs
from auditproof.replay.bodies import line_of
from auditproof.replay.generator import Generator, LogSettings
from auditproof.replay.recorded.counted import can_count
from auditproof.replay.recorded.lines import NotCounted, is_plain
from auditproof.replay.recorded.requests import read_requests
from auditproof.report.offline import log_record

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
OTHER = HEAD + (
    "omitStages: [RequestReceived]\n"
    "rules:\n"
    "- {level: None, userGroups: ['system:nodes'], verbs: [update]}\n"
    "- {level: Request, resources: [{group: '', resources: [pods], resourceNames: [web]}]}\n"
    "- {level: Metadata, omitStages: [ResponseStarted]}\n"
)


@cache
def generated(policy: Policy, events: int = 1500, seed: int = 1) -> tuple[bytes, ...]:
    return tuple(
        line.encode() if isinstance(line, str) else line
        for line in Generator(LogSettings(policy, BEGIN, events=events, seed=seed)).lines()
    )


def reported(
    paths: list[Path], policy: Policy, requirements: tuple[Any, ...], read: Callable[[Any], OfflineRun]
) -> Any:
    options = SimpleNamespace(policy=policy, recorded=tuple(paths), requirements=requirements)
    run = read(options)
    records = [record.model_dump() for record in run.records("suite")]
    return log_record(run.files, run.judgement, policy).model_dump(), records, run.requirement_ids("suite")


def name_of(path: Path) -> str:
    return path.name


def in_python(options: Any) -> OfflineRun:
    run = OfflineRun(options)
    run.read(name_of)
    return run


def with_sql(options: Any) -> OfflineRun:
    run = OfflineRun(options)
    run.read_with_sql(name_of)
    return run


def assert_same(paths: list[Path], policy: Policy, requirements: tuple[Any, ...] = ()) -> Any:
    found = reported(paths, policy, requirements, with_sql)
    assert found == reported(paths, policy, requirements, in_python)
    return found


def policy_named(name: str) -> Policy:
    return load_policy(ROOT / "fixtures" / "policies" / f"{name}.yaml")


def changed(line: bytes, **more: Any) -> bytes:
    return line_of({**json.loads(line), **more}) + b"\n"


def text_in(line: bytes, old: str, new: str) -> bytes:
    return line.replace(old.encode(), new.encode(), 1)


def hostile(line: bytes) -> list[bytes]:
    """What may become of a line by accident or on purpose; some are several lines."""
    event = json.loads(line)
    user = event["user"]
    extra = '"extra":{"a":["1"],"a":["2"]}'
    return [
        line,
        b"",
        line + line,
        line[: len(line) // 2] + b"\n",
        line[:-1] + b" " + line,
        line[:-1] + b"\r\n",
        line[:-2] + b",}\n",
        line[:-2] + b',"x":NaN}\n',
        line[:-2] + b',"unknown":{"a":1}}\n',
        line[:-2] + b',"verb":"get"}\n',
        line[:-2] + b',"annotations":{"a":1}}\n',
        text_in(line, '"user":{', f'"user":{{{extra},'),
        text_in(line, '"user":{', '"user":{"username":"eve",'),
        text_in(line, '"verb":', '"verb":"\\ud800","was":'),
        text_in(line, '"auditID":"', '"auditID":"\\u0000'),
        text_in(line, '"auditID":"', '"auditID":"\\ud800'),
        text_in(line, '"auditID":"', '"auditID":"ü\u2028'),
        text_in(line, '"auditID":"', '"auditID":"\xff').replace("ÿ".encode(), b"\xff"),
        text_in(line, '"verb":"', '"verb":["'),
        text_in(line, '"level":"', '"level":"x'),
        text_in(line, 'Z"', '+01:00"'),
        text_in(line, "2026-", "2026-13-"),
        text_in(line, "2026-01", "2026-02-30T10:00:00.000000Z"),
        changed(line, verb=7),
        changed(line, auditID=None),
        changed(line, user={**user, "groups": [*user.get("groups", []), 'a","system:nodes']}),
        changed(line, user={}),
        changed(line, user={"uid": "7"}),
        changed(line, user={"username": "\x1b[31m"}),
        changed(line, user="{}"),
        changed(line, objectRef="{}"),
        changed(line, objectRef={"resource": "pods", "apiVersion": "v1"}),
        changed(line, requestURI="//x/y", objectRef=None),
        changed(line, requestURI="/", objectRef=None, verb="get"),
        changed(line, requestURI="*", objectRef=None, verb="options"),
        changed(line, responseStatus={"metadata": {}, "code": 401}),
        changed(line, responseStatus={"code": "200"}),
        changed(line, responseStatus={"code": 1 << 31}),
        changed(line, responseStatus={"metadata": {}, "details": {"causes": [{"reason": "x"}]}, "code": 422}),
        changed(line, annotations={"audit.k8s.io/truncated": "true"}),
        changed(line, annotations={"a": "b", 'c"': "\\"}),
        changed(line, requestObject=None),
        changed(line, requestObject={"kind": "Event", "auditID": "x", "items": [1]}),
        changed(line, responseObject={"a": [[]] * 20}),
        changed(line, level="RequestResponse"),
        changed(line, level="Request"),
        changed(line, level="None"),
        changed(line, stage="Panic"),
        changed(line, stage="ResponseStarted"),
        changed(line, stage="RequestReceived"),
        changed(line, verb="watch"),
        changed(line, requestReceivedTimestamp=None),
        changed(line, stageTimestamp="soon"),
        b"2026-01-05T09:00:00Z stdout F " + line,
        b'{"message":' + json.dumps(line.decode().strip()).encode() + b"}\n",
        json.dumps(event, indent=2).encode() + b"\n",
        b"\n\n",
        b"I0105 09:00:00.000000       1 server.go:1] hello\n",
        b"[1]\n",
        b"{\n",
        b"\x00\n",
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_hostile_lines_are_judged_as_in_python(tmp_path: Path, seed: int) -> None:
    """Half of the lines are as recorded, the others anything; they are lost, repeated and out of order."""
    chance = random.Random(seed)
    policy = policy_named("stages") if seed % 2 else parse_policy(OTHER.encode(), "other.yaml")
    recorded = generated(policy, 600, seed)
    lines = [
        line if chance.random() < 0.5 else chance.choice(hostile(line)) for line in recorded if chance.random() < 0.97
    ]
    for _ in range(60):
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
    (tmp_path / "a.log").write_bytes(b"".join(lines[:300]))
    (tmp_path / "b.log").write_bytes(gzip.compress(b"\xef\xbb\xbf" * (seed == 2) + b"".join(lines[300:])))

    assert_same([tmp_path / "a.log", tmp_path / "b.log"], policy)


@pytest.mark.parametrize("name", ["baseline", "other"])
def test_a_generated_log_is_judged_as_in_python_by_its_own_policy_and_by_another(tmp_path: Path, name: str) -> None:
    """The requirements are held against the same events, and the examples of a report are the same."""
    recorded = policy_named("baseline")
    policy = recorded if name == "baseline" else parse_policy(OTHER.encode(), "other.yaml")
    (tmp_path / "audit.log").write_bytes(b"".join(generated(recorded)))
    requirements = tuple(
        load_requirements(name) for name in ("baseline", "cis", "secrets-hygiene", "stig", "compliance")
    )

    log, records, ids = assert_same([tmp_path / "audit.log"], policy, requirements)

    assert log["requests"] > 1000
    assert {record["verdict"].value for record in records} >= ({"PROVEN"} if policy is recorded else {"VIOLATED"})
    assert ids


def test_few_lines_of_a_log_that_follows_its_policy_are_left_to_python(tmp_path: Path) -> None:
    policy = policy_named("stages")
    path = tmp_path / "audit.log"
    path.write_bytes(b"".join(generated(policy)))

    with read_requests([path], policy, ()) as requests:
        judged = [place for place, is_judged in requests.places() if is_judged]

    assert len(judged) < 0.05 * 1500


@pytest.mark.parametrize("opener", [b'{"kind":"EventList","items":[\n', b'{"items":[{"a":\n'])
def test_a_line_that_begins_a_list_over_lines_that_sql_has_counted_leaves_the_log_to_python(
    tmp_path: Path, opener: bytes
) -> None:
    """A line that an API server might have written, is broken, and opens a list: what follows is in the list."""
    policy = policy_named("baseline")
    lines = list(generated(policy, 200))
    broken = lines[50][:-2] + b',"items":[{"a":1}}\n'
    path = tmp_path / "audit.log"
    path.write_bytes(b"".join([*lines[:50], broken, *lines[50:100], opener, *lines[100:]]))

    with pytest.raises(NotCounted):
        reported([path], policy, (), with_sql)
    found = reported([path], policy, (), lambda options: read_logs(options, name_of, small=0))

    assert found == reported([path], policy, (), in_python)
    assert found[0]["files"][0]["forms"].keys() == {"JSON lines", "EventList"} or found[0]["files"][0]["invalid"]


def test_sql_is_used_where_the_log_is_large_and_begins_as_an_api_server_writes(tmp_path: Path) -> None:
    lines = generated(policy_named("baseline"), 200)
    ours, others, empty = (tmp_path / name for name in ("ours.log.gz", "others.log", "empty.log"))
    ours.write_bytes(gzip.compress(b"".join(lines)))
    others.write_bytes(b"".join(b"2026-01-05T09:00:00Z stdout F " + line for line in lines))
    empty.write_bytes(b"")

    assert all(map(is_plain, lines))
    assert can_count([others, ours], small=1)
    assert not can_count([ours])
    assert not can_count([others, empty], small=0)
    assert not can_count([ours, tmp_path / "missing.log"], small=0)
