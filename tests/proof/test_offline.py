"""Recorded events of somebody else's API server, judged without any server: the logs are written here."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.policy.load import parse_policy
from auditproof.auditlog.file_log import event_of
from auditproof.auditlog.offline_log import ForeignFile
from auditproof.kube.attributes import UserInfo
from auditproof.proof.offline import OfflineJudge, asked_by
from auditproof.proof.verdict import Outcome
from auditproof.report.offline import kind_record, log_record

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, nonResourceURLs: [/healthz]}
- {level: Metadata, resources: [{resources: [secrets]}]}
- {level: Request, verbs: [create]}
- {level: Metadata}
"""


def event(
    audit_id: str, verb: str = "get", uri: str = "/api/v1/namespaces/shop/secrets/db", **more: Any
) -> dict[str, Any]:
    reference = {"resource": "secrets", "namespace": "shop", "name": "db", "apiVersion": "v1"}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "requestURI": uri,
        "verb": verb,
        "user": {"username": "alice", "groups": ["dev", "system:authenticated"]},
        "objectRef": reference,
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-23T10:00:00.000000Z",
        "stageTimestamp": "2026-11-23T10:00:00.100000Z",
        **more,
    }


def judge(*events: dict[str, Any]) -> OfflineJudge:
    judgement = OfflineJudge(parse_policy(POLICY.encode(), "policy.yaml"))
    for number, raw in enumerate(events, 1):
        judgement.add(event_of(raw, "audit.log", number))
    judgement.close()
    return judgement


def kind_of(judgement: OfflineJudge) -> Any:
    (kind,) = judgement.kinds.values()
    return kind


def test_a_stream_that_begins_at_the_end_of_the_log_goes_on_after_it() -> None:
    """Neither its ResponseStarted nor its ResponseComplete can be there; long before the end, they have to be."""
    policy = parse_policy(POLICY.replace("omitStages: [RequestReceived]\n", "").encode(), "policy.yaml")
    watch = "/api/v1/namespaces/shop/secrets?watch=true"
    received = "2026-11-23T10:00:00.000000Z"
    for end, go_on, incomplete in ("2026-11-23T10:00:01.000000Z", 1, 0), ("2026-11-23T10:09:00.000000Z", 0, 1):
        judgement = OfflineJudge(policy)
        begun = event("b", "watch", watch, stage="RequestReceived", stageTimestamp=received)
        times = {"requestReceivedTimestamp": end, "stageTimestamp": end}
        failed = event("c", stage="ResponseStarted", user={}, responseStatus={"code": 401}, **times)
        for number, raw in enumerate((begun, failed)):
            judgement.add(event_of(raw, "audit.log", number))
        judgement.close()
        found = sum(len(kind.incomplete) for kind in judgement.kinds.values())
        assert (judgement.go_on, found) == (go_on, incomplete)


def test_an_event_says_what_the_policy_saw() -> None:
    attributes = asked_by(event("a"))

    assert (attributes.verb, attributes.resource, attributes.namespace, attributes.name) == (
        "get",
        "secrets",
        "shop",
        "db",
    )
    assert attributes.user == UserInfo("alice", ("dev", "system:authenticated"))


def test_the_name_of_a_created_object_is_not_what_the_policy_saw() -> None:
    """The server fills objectRef.name from the body; a rule with resourceNames never matched it."""
    created = event("a", "create", "/api/v1/namespaces/shop/secrets")

    assert asked_by(created).name == ""


def test_a_failed_login_has_no_user_and_a_proxied_request_the_verb_that_is_recorded() -> None:
    """The method of a proxied request is in no event, so its verb is taken as recorded."""
    proxied = event("a", "create", "/api/v1/namespaces/shop/pods/web/proxy/x")
    proxied["objectRef"] = {"resource": "pods", "subresource": "proxy", "namespace": "shop", "name": "web"}

    assert asked_by(event("a", user={})).user is None
    assert (asked_by(proxied).verb, asked_by(proxied).subresource) == ("create", "proxy")


def test_a_path_is_judged_as_one() -> None:
    healthz = event("a", "get", "/healthz?verbose")
    del healthz["objectRef"]

    kind = kind_of(judge(healthz))

    assert kind.name == "rule-01-get-/healthz"
    assert dict(kind.wrong) == {"recorded at Metadata, but the policy decides None by rule 1 (line 5)": 1}


def test_what_is_recorded_as_decided_is_right() -> None:
    judgement = judge(event("a"), event("b"))

    kind = kind_of(judgement)
    assert (kind.requests, kind.complete, dict(kind.wrong), kind.incomplete) == (2, 2, {}, [])
    assert judgement.rules_not_seen() == [2, 3]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"level": "Request"}, "recorded at Request, but the policy decides Metadata by rule 2 (line 6)"),
        ({"stage": "RequestReceived"}, "recorded at stage RequestReceived, which the policy omits by rule 2 (line 6)"),
        ({"requestObject": {}}, "the event at level Metadata holds a requestObject"),
    ],
)
def test_what_is_recorded_otherwise_is_told(change: dict[str, Any], wrong: str) -> None:
    assert wrong in kind_of(judge(event("a", **change))).wrong


def test_what_is_not_complete_within_the_log_is_told_and_at_its_edges_it_is_not() -> None:
    """A stage that is missing at the end of a log may be in the next file; within the log it is lost."""
    late = {"requestReceivedTimestamp": "2026-11-23T10:30:00Z", "stageTimestamp": "2026-11-23T10:30:00Z"}
    panic = event("b", stage="ResponseStarted", **late)

    assert kind_of(judge(event("a", stage="ResponseStarted"), event("c", **late))).incomplete == [
        "Audit-ID a is not recorded at stage ResponseComplete"
    ]
    assert kind_of(judge(event("a"), panic)).incomplete == []


def read(path: Path) -> tuple[ForeignFile, list[str]]:
    file = ForeignFile(path, path.name)
    return file, [each.audit_id for each in file.read()]


def test_a_line_that_is_no_event_is_told_with_its_number(tmp_path: Path) -> None:
    """Each kind of invalid line is named by its number and reason, and the valid line is still read."""
    path = tmp_path / "audit.log"
    cut = json.dumps(event("long", responseObject={"x": "y" * 20000}))[: 16 * 1024]
    path.write_text("\n".join([json.dumps(event("a")), "{broken", cut, json.dumps({"kind": "Pod"}), ""]))

    file, ids = read(path)

    assert ids == ["a"]
    assert (file.lines, file.events, file.invalid_lines) == (4, 1, 3)
    assert [number for number, _ in file.invalid] == [2, 3, 4]
    assert "cut at 16 KiB" in file.invalid[1][1]
    assert 'kind is "Pod"' in file.invalid[2][1]


def test_lines_of_a_container_runtime_and_compressed_files_are_read(tmp_path: Path) -> None:
    """Parts of a line (P and F of the CRI format) are joined; an unfinished one is reported."""
    text, time = json.dumps(event("a")), "2026-11-23T10:00:00.1Z stdout"
    plain, packed = tmp_path / "cri.log", tmp_path / "audit.log.gz"
    plain.write_text(f"{time} P {text[:50]}\n{time} F {text[50:]}\n{time} P {text[:50]}\n")
    packed.write_bytes(gzip.compress(f"{text}\n".encode()))

    file, ids = read(plain)

    assert (ids, file.invalid) == (["a"], [(3, "the file ends in the middle of this line")])
    assert read(packed)[1] == ["a"]


def run(folder: Path, *more: str, policy: str = POLICY) -> tuple[int, dict[str, Any], str]:
    (folder / "policy.yaml").write_text(policy)
    command = [sys.executable, "-m", "auditproof", "run", "policy.yaml", "--no-actions", "--report", "out", *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    results = folder / "out" / "results.json"
    return done.returncode, json.loads(results.read_text()) if results.exists() else {}, done.stdout + done.stderr


def write(path: Path, *events: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(each) + "\n" for each in events))


def test_a_run_without_actions_judges_the_log_and_says_what_it_cannot_see(tmp_path: Path) -> None:
    """An excluded request leaves no event, so a log alone never shows that a rule excludes."""
    write(tmp_path / "audit.log", event("a"), event("b", user={"username": "bob"}))

    code, report, text = run(tmp_path, "--log", "audit.log")

    assert code == 0, text
    assert report["summary"]["planned"] == report["summary"]["proven"] == 2
    assert report["log"]["requests"] == 2
    assert "leave no event" in text
    assert "Rules without any event: lines 7 and 8" in text
    page = (tmp_path / "out" / "report.html").read_text()
    assert "What is not recorded is not shown." in page
    assert report["log"]["notSeen"][0] in page


def test_a_run_without_actions_fails_on_what_is_recorded_otherwise_and_on_broken_lines(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", event("a", level="RequestResponse"))
    with (tmp_path / "audit.log").open("a") as log:
        log.write("not json\n")

    code, report, text = run(tmp_path, "--log", "audit.log")

    assert code == 1
    assert (report["summary"]["violated"], report["summary"]["unproven"]) == (1, 1)
    assert "VIOLATED policy.yaml:6" in text
    assert "audit.log:2: not an audit event" in text


def test_one_hostile_event_is_one_bad_line(tmp_path: Path) -> None:
    """Values of wrong types and endless nesting cost their own line and no other verdict."""
    hostile = [
        {"responseStatus": "OK"},
        {"responseStatus": {"code": [1]}},
        {"user": {"username": "alice", "groups": [1, "b"]}},
        {"user": ["alice"]},
        {"annotations": {"a": 1}},
        {"requestReceivedTimestamp": "9999-12-31T23:59:59.000000-23:00"},
    ]
    write(tmp_path / "audit.log", event("a"), *(event(f"bad-{n}", **each) for n, each in enumerate(hostile)))
    with (tmp_path / "audit.log").open("a") as log:
        log.write("[" * 100_000 + "\n")

    code, report, text = run(tmp_path, "--log", "audit.log")

    assert code == 1, text
    assert report["summary"] | {"proven": 1, "unproven": 1, "violated": 0} == report["summary"]
    assert [file["invalid"] for file in report["log"]["files"]] == [7]
    assert 'audit.log:2: not an audit event: responseStatus is "OK", not an object' in text


@pytest.mark.parametrize("level", ["Metadata", "Request"])  # proven, and told as a failure
def test_what_a_log_says_controls_no_terminal_and_no_ci_runner(tmp_path: Path, level: str) -> None:
    """Paths and user names of a log are chosen by clients: they must not be able to write commands into the output."""
    hostile = [
        event("a", "get", "/%0A%3A%3Aerror%20file%3Dx%3A%3Apwned/x", level=level),
        event("b\x1b]0;t\x07", "get", "/%1B%5B31m", level=level, user={"username": "\n::add-mask::x\n\u202e"}),
    ]
    for each in hostile:
        del each["objectRef"]
    write(tmp_path / "audit.log", *hostile)

    code, report, text = run(tmp_path, "--log", "audit.log", "-v", "-rA")

    assert code == (level != "Metadata"), text
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert "\\x1b[31m" in text
    assert not [letter for letter in text if letter < " " and letter != "\n"]
    assert all(proof["id"].isprintable() for proof in report["proofs"])


def test_an_event_of_any_depth_is_judged_and_shown(tmp_path: Path) -> None:
    """A body that a client nested 3,000 levels deep must neither fail the run nor make results.json invalid."""
    write(tmp_path / "audit.log", event("a"))
    body = '{"a":' * 3000 + "1" + "}" * 3000
    recorded = json.dumps(event("deep", "create", "/api/v1/namespaces/shop/pods", level="Request"))
    numbers = '"numbers":[1e999,' + "9" * 5000 + ',"\\ud800"]'
    with (tmp_path / "audit.log").open("a") as log:
        log.write(f'{recorded[:-1]},"requestObject":{{"deep":{body},{numbers}}}}}\n')

    code, report, text = run(tmp_path, "--log", "audit.log")

    assert code == 0, text
    shown = json.dumps([proof["events"] for proof in report["proofs"]])
    assert "nested deeper than" in shown
    assert "Infinity" not in (tmp_path / "out" / "results.json").read_text()


def test_a_requirement_is_held_against_recorded_requests(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", event("a"), event("b", level="Request"))

    code, report, _ = run(tmp_path, "--log", "audit.log", "--requirements", "cis")

    proofs = {proof["id"]: proof for proof in report["proofs"]}
    shown = {record["id"]: record["proofs"] for record in report["requirements"] if record["proofs"]}
    (name,) = shown["cis-3-2-2-secrets-metadata-only"]
    assert code == 1
    assert proofs[name]["verdict"] == "VIOLATED"
    assert "recorded at Request, but the policy decides Metadata by rule " in proofs[name]["reasons"][0]


def test_a_log_that_follows_its_policy_is_faithful_though_the_policy_does_not_meet_a_requirement(
    tmp_path: Path,
) -> None:
    """What the policy does not meet is the policy's fault; the log shows that the server follows it."""
    write(tmp_path / "audit.log", event("a", level="Request"))
    policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Request\n"

    code, report, text = run(tmp_path, "--log", "audit.log", "--requirements", "cis", policy=policy)

    found = {record["id"]: record for record in report["requirements"]}
    record = found["cis-3-2-2-secrets-metadata-only"]
    (name,) = record["proofs"]
    verdicts = {proof["id"]: proof["verdict"] for proof in report["proofs"]}
    assert code == 1
    assert verdicts[name] == "PROVEN"
    assert (record["met"], record["shown"]) == (False, True)
    assert report["statements"]["faithful"]["word"] == "PROVEN"
    assert report["statements"]["requirements"]["word"] == "NOT MET"
    assert "NOT MET policy.yaml:4: cis-3-2-2-secrets-metadata-only: " in text


def test_a_run_without_actions_needs_a_log_that_is_there(tmp_path: Path) -> None:
    assert "--no-actions needs --log FILE" in run(tmp_path)[2]
    code, _, text = run(tmp_path, "--log", "nowhere.log")
    assert code == 4
    assert "nowhere.log: no such audit log" in text
    code, _, text = run(tmp_path, "--log", "s3://logs/audit.log")
    assert code == 4
    assert "s3://logs/audit.log: only auditproof replay reads URLs; save the log to a file first" in text


WATCH = "/api/v1/configmaps?watch=true"


def watch(audit_id: str, stage: str, received: str, at: str) -> dict[str, Any]:
    times = {"requestReceivedTimestamp": f"2026-11-23T{received}Z", "stageTimestamp": f"2026-11-23T{at}Z"}
    reference = {"resource": "configmaps", "apiVersion": "v1"}
    return event(audit_id, "watch", WATCH, stage=stage, objectRef=reference, **times)


@pytest.mark.parametrize(
    ("excerpt", "before", "after"),
    [
        (watch("a", "ResponseStarted", "10:00:00", "10:00:00.004"), 0, 1),
        (watch("a", "ResponseComplete", "09:52:00", "10:00:00.004"), 1, 0),
    ],
)
def test_a_request_of_which_a_part_lies_outside_of_the_log_is_judged_by_what_is_there(
    excerpt: dict[str, Any], before: int, after: int
) -> None:
    """Any excerpt has watches that began before it or go on after it; it passes, and says how many there are."""
    judgement = judge(excerpt)
    kind = kind_of(judgement)
    record = kind_record(kind, "suite", parse_policy(POLICY.encode(), "policy.yaml"))

    assert (record.verdict, record.reasons) == (Outcome.PROVEN, ())
    assert (judgement.began_before, judgement.go_on) == (before, after)
    told = log_record([], judgement, parse_policy(POLICY.encode(), "policy.yaml")).not_seen
    assert any("1 request " in line and "only the stages that are there were judged" in line for line in told)


def test_a_watch_whose_start_was_lost_within_the_log_is_not_at_its_edge() -> None:
    """ResponseStarted was due within the log, although the watch ends at its edge."""
    late = watch("b", "ResponseComplete", "10:20:00", "10:30:00")

    judgement = judge(event("a"), late)

    incomplete = [text for kind in judgement.kinds.values() for text in kind.incomplete]
    assert incomplete == ["Audit-ID b is not recorded at stage ResponseStarted"]


def test_requests_with_the_same_audit_id_are_told_apart_by_what_they_are() -> None:
    """A client may choose its Audit-ID, also that of another request: the ID alone identifies nothing."""
    judgement = judge(
        event("a"),
        event("a", "delete", user={"username": "bob"}),
        event("a", requestReceivedTimestamp="2026-11-23T10:00:01Z"),
        event("a", user={"username": "carol"}),
    )

    assert {kind.name: kind.requests for kind in judgement.kinds.values()} == {
        "rule-02-get-secrets": 3,
        "rule-02-delete-secrets": 1,
    }


def test_the_same_event_twice_is_judged_once_and_reported() -> None:
    """Exports that overlap must not double the count of requests and violations."""
    policy = parse_policy(POLICY.encode(), "policy.yaml")
    judgement = judge(event("a", level="Request"), event("b"), event("a", level="Request"))

    assert (kind_of(judgement).requests, judgement.repeated) == (2, 1)
    assert list(kind_of(judgement).wrong.values()) == [1]
    part = log_record([], judgement, policy)
    assert part.repeated == 1
    assert "1 event came again (files that overlap?): each was judged once" in part.not_seen


def test_an_event_that_differs_from_one_before_it_is_no_repetition() -> None:
    """A level that was changed on the way must not hide behind the right one."""
    judgement = judge(event("a"), event("a", level="Request"), event("a", requestObject={"a": 1}))

    assert judgement.repeated == 0
    assert len(kind_of(judgement).wrong) == 2


def unusual(tmp_path: Path, **more: Any) -> ForeignFile:
    path = tmp_path / "audit.log"
    write(path, {key: value for key, value in event("a", **more).items() if value != "absent"})
    file = ForeignFile(path, path.name)
    list(file.read())
    return file


@pytest.mark.parametrize("value", ["absent", None])
@pytest.mark.parametrize("key", ["auditID", "level", "stage", "verb", "requestURI", "user", "objectRef"])
def test_a_key_that_is_always_written_and_missing_is_named_and_never_empty(
    tmp_path: Path, key: str, value: str | None
) -> None:
    """An event that a pipeline has shortened is not judged as if the field had been empty."""
    file = unusual(tmp_path, **{key: value})

    assert (file.events, file.invalid_lines) == (0, 1)
    assert f"the key {key} is missing, which an API server always writes" in file.invalid[0][1]


def test_several_missing_keys_and_renamed_ones_are_named_in_one_sentence(tmp_path: Path) -> None:
    both = unusual(tmp_path, verb="absent", user="absent")
    renamed = unusual(tmp_path, requestURI="absent", request_uri="/x")

    assert "the keys verb and user are missing" in both.invalid[0][1]
    assert "a pipeline has renamed it (requestURI is now request_uri)" in renamed.invalid[0][1]


@pytest.mark.parametrize(
    "more",
    [
        {"user": {}},
        {"verb": ""},
        {"kind": "absent", "apiVersion": "absent"},
        {"impersonatedUser": None},
        {"responseStatus": None},
        {"requestObject": None},
        {"user": {"username": "alice", "groups": None}},
        {"annotations": None},
        {"objectRef": {"resource": "secrets", "namespace": None, "name": None, "apiGroup": None}},
    ],
)
def test_null_is_as_absent_and_what_may_be_absent_or_empty_is_no_fault(tmp_path: Path, more: dict[str, Any]) -> None:
    """Go leaves such keys out; exporters and YAML write null for them."""
    write(tmp_path / "audit.log", {k: v for k, v in event("a", **more).items() if v != "absent"})
    file = ForeignFile(tmp_path / "audit.log", "audit.log")

    judgement = OfflineJudge(parse_policy(POLICY.encode(), "policy.yaml"))
    for each in file.read():
        judgement.add(each)
    judgement.close()

    assert file.invalid == []
    kind = kind_of(judgement)
    record = kind_record(kind, "suite", parse_policy(POLICY.encode(), "policy.yaml"))
    assert (record.verdict, record.identity.impersonates) == (Outcome.PROVEN, None)
    assert "None" not in kind.name


def test_a_folder_is_one_log_and_what_was_read_is_printed(tmp_path: Path) -> None:
    """Rotated files that overlap, one of them compressed under a name that does not say so, blank lines."""
    folder = tmp_path / "logs"
    folder.mkdir()
    write(folder / "audit.log", event("b"), event("c"))
    text = json.dumps(event("a")) + "\n\n" + json.dumps(event("b")) + "\n"
    (folder / "audit-2026-11-23T06-17-08.714.log").write_bytes(gzip.compress(text.encode()))
    (folder / ".hidden").write_text("no log")

    code, report, text = run(tmp_path, "--log", "logs")

    assert code == 0, text
    assert [file["events"] for file in report["log"]["files"]] == [2, 2]
    assert (report["log"]["requests"], report["log"]["repeated"], report["log"]["kinds"]) == (3, 1, 1)
    assert "read: 2 files, 5 lines, 4 events (JSON lines; gzip)" in text
    assert "passed over: 1 blank line" in text
    assert "1 event came again (files that overlap?): each was judged once" in text
    assert "policy.yaml: 3 requests of 1 kind in 2 files: 3 proven" in text
