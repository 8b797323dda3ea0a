"""Generated logs are logs: an API server with the policy could have written every line of them."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.event_form import check_event
from auditproof.audit.policy.load import load_policy, parse_policy
from auditproof.auditlog.file_log import event_of
from auditproof.cli.main import main
from auditproof.proof.offline import OfflineJudge
from auditproof.replay.generator import Generator, LogSettings

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy

ROOT = Path(__file__).parents[2]
BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)  # a Monday
RECORDING = sorted({path.name for path in (ROOT / "fixtures" / "policies").glob("*.yaml")} - {"nothing.yaml"})
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
EVERYTHING = "rules: [{level: RequestResponse}]\n"
METADATA = "rules: [{level: Metadata}]\n"  # a third of the time, if bodies do not matter


def policy_of(text: str) -> Policy:
    return parse_policy((HEAD + text).encode(), "policy.yaml")


@cache
def generated(text: str = EVERYTHING, **settings: Any) -> list[dict[str, Any]]:
    """The events of a log, made once: who looks at it changes none."""
    made = LogSettings(policy_of(text), BEGIN, **{"events": 3000, **settings})
    return [json.loads(line) for line in Generator(made).lines()]


@pytest.mark.parametrize("name", RECORDING)
@pytest.mark.parametrize("work", [True, False], ids=["work", "rest"])
def test_a_log_is_what_its_policy_decides(name: str, work: bool) -> None:
    """By the judge of `run --no-actions`, which parses each request line and asks ``decide``."""
    policy = load_policy(ROOT / "fixtures" / "policies" / name)
    judge, lines = OfflineJudge(policy), 0
    settings = LogSettings(policy, BEGIN, days=0.005, work=work)
    for lines, line in enumerate(Generator(settings).lines(), 1):
        judge.add(event_of(json.loads(line), "audit.log", lines))
    judge.close()

    assert lines > 20
    assert judge.repeated == 0
    faults = [problem for kind in judge.kinds.values() for problem in (*kind.wrong, *kind.incomplete)]
    assert faults == []


def test_run_without_actions_proves_a_generated_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log, policy = tmp_path / "audit.log", str(ROOT / "fixtures" / "policies" / "baseline.yaml")
    assert main(["generate-log", "--events", "2000", "--policy", policy, "--output", str(log)]) == 0

    from tests.docs.test_commands import run

    assert run(f"auditproof run {policy} --no-actions --log {log}") == 0
    said = capfd.readouterr().out
    assert "PROVEN" in said
    assert "2000 lines, 2000 events" in said


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not() -> None:
    def text(seed: int) -> str:
        return "".join(Generator(LogSettings(policy_of(EVERYTHING), BEGIN, seed, 700)).lines())

    assert text(7) == text(7)
    assert text(7) != text(8)


def test_the_types_of_every_event_are_those_of_the_api() -> None:
    for event in generated():
        check_event(event)


def test_lines_are_in_the_order_in_which_they_are_written() -> None:
    events = generated()
    moments = [event["stageTimestamp"] for event in events]
    assert moments == sorted(moments)
    assert all(event["requestReceivedTimestamp"] <= event["stageTimestamp"] for event in events)


def test_an_audit_id_is_that_of_one_request() -> None:
    requests: dict[str, set[str]] = defaultdict(set)
    stages: dict[str, list[str]] = defaultdict(list)
    for event in generated():
        requests[event["auditID"]].add(f"{event['verb']} {event['requestURI']} {event['user']}")
        stages[event["auditID"]].append(event["stage"])
    assert [one for one in requests.values() if len(one) > 1] == []
    assert [one for one in stages.values() if len(one) != len(set(one))] == []


def test_the_traffic_is_mixed() -> None:
    """Each of these is something that a reader of logs meets, and that a rule can be about."""
    events = generated(METADATA, events=30_000)
    seen = {(event["verb"], event.get("objectRef", {}).get("resource")) for event in events}
    subresources = {event.get("objectRef", {}).get("subresource") for event in events}
    codes = {event.get("responseStatus", {}).get("code") for event in events}
    users = {event["user"].get("username", "") for event in events}

    assert seen >= {("update", "leases"), ("patch", "nodes"), ("watch", "pods"), ("get", "secrets"), ("get", None)}
    assert subresources >= {"status", "log", "exec", "binding", "scale", None}
    assert codes >= {200, 201, 401, 403, 404, 409, 101}
    assert users >= {"", "system:anonymous", "system:apiserver", "system:node:demo-worker", "alice@example.com"}
    assert any("impersonatedUser" in event for event in events)


def test_at_rest_nobody_uses_the_cluster() -> None:
    users = {event["user"].get("username", "") for event in generated(work=False)}
    assert [user for user in users if not user.startswith("system:")] == []
    assert [user for user in users if "serviceaccount" in user and "kube-system" not in user] == []


def test_a_rule_with_names_is_followed() -> None:
    group = "group: coordination.k8s.io"
    named = (
        f"rules:\n- {{level: Request, resources: [{{{group}, resourceNames: [demo-worker], resources: [leases]}}]}}\n"
    )
    events = generated(f"{named}- {{level: Metadata, resources: [{{{group}}}]}}\n")
    levels = {(event["objectRef"].get("name") == "demo-worker", event["level"]) for event in events}
    assert levels == {(True, "Request"), (False, "Metadata")}


def test_omitted_managed_fields_are_in_no_body_but_a_patch() -> None:
    kept, omitted = generated(), generated("omitManagedFields: true\n" + EVERYTHING)
    assert any("managedFields" in json.dumps(event) for event in kept)
    assert not any("managedFields" in json.dumps(event) for event in omitted if event["verb"] != "patch")


def test_text_is_escaped_as_go_does() -> None:
    lines = list(Generator(LogSettings(policy_of(EVERYTHING), BEGIN, events=2000)).lines())
    assert any("\\u0026watch=true" in line for line in lines)
    assert not any(
        "&" in line or "<" in line or "%(" in line or "@" in line.replace("@example.com", "") for line in lines
    )


def test_people_are_busier_by_day() -> None:
    by_hour: dict[str, int] = defaultdict(int)
    for event in generated("rules: [{level: Metadata, users: [alice@example.com]}]\n", events=400, days=1.0):
        by_hour[event["stageTimestamp"][11:13]] += 1
    assert sum(by_hour[f"{hour:02}"] for hour in range(9, 17)) > 4 * sum(by_hour[f"{hour:02}"] for hour in range(6))


def test_events_and_days_together_stretch_the_time() -> None:
    events = generated(METADATA, events=20_000, days=7.0)
    spans = datetime.fromisoformat(events[-1]["stageTimestamp"]) - BEGIN
    assert timedelta(days=5.5) < spans < timedelta(days=8.5)


def test_a_log_ends_after_its_days() -> None:
    events = generated(events=None, days=0.005)
    spans = datetime.fromisoformat(events[-1]["stageTimestamp"]) - BEGIN
    assert timedelta(days=0.0049) < spans <= timedelta(days=0.005)


def test_a_policy_that_records_nothing_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.yaml").write_text(HEAD + "rules: [{level: None}]\n")
    assert main(["generate-log", "--events", "10", "--policy", str(tmp_path / "none.yaml")]) == 4
    assert "records nothing of the generated traffic" in capsys.readouterr().err


# Files


def test_rotated_files_are_the_log_in_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate-log", "--events", "9000"]) == 0
    whole = capsys.readouterr().out
    folder = tmp_path / "logs"
    options = ["generate-log", "--events", "9000", "--output", f"{folder}/", "--max-size", "3", "--gzip"]
    assert main(options) == 0

    rotated = sorted(folder.glob("audit-*.log.gz"))
    assert len(rotated) >= 2
    parts = [*(gzip.decompress(path.read_bytes()).decode() for path in rotated), (folder / "audit.log").read_text()]
    assert "".join(parts) == whole
    assert all(len(part) <= 3_000_000 for part in parts)

    assert main(options) == 4
    assert "is already there" in capsys.readouterr().err


def test_a_compressed_file_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        assert main(["generate-log", "--events", "100", "--output", str(tmp_path / name), "--gzip"]) == 0
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()).count(b"\n") == 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say how long the log is"),
        (["--events", "10", "--gzip"], "--gzip needs --output"),
        (["--events", "100", "--output", "/dev/full"], "No space left on device"),
        (["--events", "100", "--output", "/dev/full/"], "the log cannot be written"),
        (["--events", "0"], "invalid number '0'"),
        (["--events", "1", "--days", "nan"], "invalid number of days 'nan'"),
        (["--events", "1", "--begin", "yesterday"], "invalid time 'yesterday'"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(["generate-log", *arguments])
    except SystemExit as ended:
        code = int(ended.code or 0)
    output = capsys.readouterr()
    assert code == 4
    assert said in output.err
    assert "Traceback" not in output.err


def test_the_dataset_is_the_log_that_its_page_says() -> None:
    """docs/generate-log.md has the command; after a change of the traffic, run it again."""
    settings = LogSettings(policy_of("rules: [{level: Metadata}]"), BEGIN.replace(hour=0), 20, 4000, 7.0)
    packed = ROOT / "docs" / "examples" / "week.log.gz"
    assert gzip.decompress(packed.read_bytes()).decode() == "".join(Generator(settings).lines())
    assert packed.stat().st_size < 300_000
