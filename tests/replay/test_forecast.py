"""A forecast from counters, compared with a log of the same requests, which is generated together with them."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.policy.load import parse_policy
from auditproof.cli.main import main
from auditproof.errors import AuditproofError
from auditproof.replay.forecast import forecast, measured_sizes, read_counters
from auditproof.replay.forecast.sizes import shipped_sizes
from auditproof.replay.generator import Generator, LogSettings
from auditproof.replay.generator.counters import prometheus_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditproof.audit.policy.load import Policy
    from auditproof.replay.forecast import Forecast, Sizes

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
SECONDS = 3600.0
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
METRICS = """\
# HELP apiserver_request_total Counter of apiserver requests.
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="",resource="pods",scope="namespace",subresource="",verb="LIST"} 24
apiserver_request_total{code="200",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 3600
process_start_time_seconds 1.7e+09
"""


def policy_of(rules: str) -> Policy:
    return parse_policy((HEAD + rules).encode(), "policy.yaml")


def recorded(policy: Policy, seed: int) -> tuple[Generator, list[str]]:
    generator = Generator(LogSettings(policy, BEGIN, seed, days=SECONDS / 86400))
    return generator, list(generator.lines())


@cache
def sizes_of_another_log() -> Sizes:
    """Other names, applications and days, all bodies recorded."""
    _, lines = recorded(policy_of("rules: [{level: RequestResponse}]"), 99)
    return measured_sizes((line.encode() for line in lines), "a")


def forecast_of(policy: Policy, generator: Generator) -> Forecast:
    counters = read_counters(prometheus_text(generator), "metrics")
    return forecast(policy, counters, SECONDS, sizes_of_another_log())


@pytest.mark.parametrize("level", ["Metadata", "Request", "RequestResponse"])
def test_the_error_on_a_log_of_the_same_requests_is_as_documented(level: str) -> None:
    """docs/forecast.md states these numbers. Requests that no handler counts are left out on both sides."""
    policy = policy_of(f"omitStages: [RequestReceived]\nrules: [{{level: {level}}}]")
    generator, lines = recorded(policy, 1)
    found = forecast_of(policy, generator)
    handled = [line for line in lines if is_counted(json.loads(line))]
    events, size = len(handled) * 24, sum(map(len, handled)) * 24

    assert found.total.least_events == pytest.approx(events, rel=0.02)
    assert found.total.least_bytes == pytest.approx(size, rel=0.05)


def is_counted(event: dict[str, dict[str, str]]) -> bool:
    reference = event.get("objectRef", {})
    if not reference:
        return str(event["requestURI"]).partition("?")[0] in ("/readyz", "/livez", "/api", "/apis", "/openapi/v3")
    refused = event.get("annotations", {}).get("authorization.k8s.io/decision") != "allow"
    return not refused and reference.get("apiGroup") != "metrics.k8s.io"


def test_what_the_counters_cannot_tell_is_a_range_that_holds_the_log() -> None:
    """Users, groups, namespaces and names are in the log, and not in the counters."""
    policy = policy_of(
        "rules:\n- {level: None, userGroups: [system:nodes]}\n"
        "- {level: RequestResponse, namespaces: [shop]}\n"
        "- {level: None, users: [system:kube-scheduler], verbs: [update]}\n"
        "- {level: Request, resources: [{resources: [configmaps], resourceNames: [shop-web-settings]}]}\n"
        "- {level: Metadata, resources: [{resources: [secrets]}]}\n- {level: Metadata, verbs: [update]}\n"
    )
    generator, lines = recorded(policy, 1)
    found = forecast_of(policy, generator)

    handled = [line for line in lines if is_counted(json.loads(line))]
    assert found.total.least_events < len(handled) * 24 < found.total.most_events
    assert found.total.least_bytes < sum(map(len, handled)) * 24 < found.total.most_bytes
    assert found.uncounted > 0


def test_a_condition_that_the_labels_decide_leaves_no_range() -> None:
    counters = read_counters(METRICS, "metrics")
    policy = policy_of(
        "omitStages: [RequestReceived]\nrules:\n"
        "- {level: None, nonResourceURLs: ['/ready*'], userGroups: [system:authenticated, system:unauthenticated]}\n"
        "- {level: Metadata, namespaces: ['']}\n- {level: Metadata, verbs: [list]}\n"
    )
    found = forecast(policy, counters, SECONDS, shipped_sizes())
    assert (found.total.least_events, found.total.most_events) == (24 * 24, 24 * 24)
    assert {rule for rule, one in found.rules.items() if one.most_events} == {2}


# The command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(f"{HEAD}rules: [{{level: Metadata}}]\n")
    (tmp_path / "m.txt").write_text(METRICS)
    os.utime("m.txt", (1_700_003_600, 1_700_003_600))
    return tmp_path


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
@pytest.mark.usefixtures("folder")
def test_every_format_says_that_it_is_a_forecast(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forecast", "p.yaml", "--metrics", "m.txt", "--base", "p.yaml", "--format", form]) == 0
    said = capsys.readouterr().out
    assert "forecast" in said.lower()
    assert "no handler" in said
    # 24 lists and 3,600 probes in an hour: the process began an hour before the file was written.
    assert ("173,952" in said) or json.loads(said)["total"]["most_events"] == 173_952


@pytest.mark.usefixtures("folder")
def test_a_price_gives_what_thirty_days_cost(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["forecast", "p.yaml", "--metrics", "m.txt", "--price", "$100/GB"]

    assert main([*command, "--format", "json"]) == 0
    total = json.loads(capsys.readouterr().out)["total"]
    assert total["most_cost"] == pytest.approx(total["most_bytes"] * 30 / 10**9 * 100, abs=0.01)
    assert total["least_cost"] == total["most_cost"] > 0
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "30 days" in said
    assert f"${total['most_cost']:,.2f}" in said


def test_two_dumps_are_what_happened_between_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "later.txt").write_text(METRICS.replace("} 3600", "} 5400").replace("} 24", "} 24"))
    command = [
        "forecast",
        "p.yaml",
        "--metrics",
        "m.txt",
        "--metrics",
        "later.txt",
        "--over",
        "30m",
        "--format",
        "json",
    ]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 1800 * 48

    (folder / "restarted.txt").write_text(METRICS.replace("1.7e+09", "1.8e+09"))
    assert main([*command[:5], "restarted.txt", *command[6:]]) == 4
    assert "the API server has restarted between them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no apiserver_request_total"),
        ("apiserver_request_total{verb=\n", "m.txt:1: not a line of Prometheus' text format"),
        ('apiserver_request_total{verb="GET",code="200"} many\n', "m.txt:1: 'many' is not the value of a counter"),
        ("apiserver_request_total 3\n", "m.txt:1: apiserver_request_total without the labels verb and code"),
        ('apiserver_request_total{verb="GET",code="200"} 3\n', "say so with --over"),
    ],
)
def test_metrics_that_cannot_be_used_are_said_so(
    text: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "m.txt").write_text(text)
    assert main(["forecast", "p.yaml", "--metrics", "m.txt"]) == 4
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_an_endpoint_that_is_not_there_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forecast", "p.yaml", "--metrics", "http://127.0.0.1:1/metrics"]) == 4
    assert "kubectl proxy serves them" in capsys.readouterr().err


def test_sizes_are_not_measured_in_what_is_no_log(folder: Path) -> None:
    with pytest.raises(AuditproofError, match=r"audit\.log:1: not an audit event"):
        measured_sizes([b"no event\n"], "audit.log")
    assert main(["forecast", "p.yaml", "--metrics", "m.txt", "--sizes", str(folder / "no.log")]) == 4


@pytest.fixture
def guarded() -> Iterator[tuple[str, list[str | None]]]:
    """An endpoint that wants a login and sends the reader on to another one; the headers that both were sent."""
    sent: list[str | None] = []

    class Guarded(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            login = self.headers["Authorization"]
            sent.append(login)
            if self.path == "/metrics" and login not in ("Bearer s3cret-token", "Basic YWxpY2U6czNjcmV0OiU="):
                self.send_error(401)
                return
            self.send_response(302 if self.path == "/metrics" else 200)
            self.send_header("Location", f"http://localhost:{server.server_port}/elsewhere")
            self.end_headers()
            self.wfile.write(METRICS.encode())

        def log_message(self, *_: object) -> None:
            """Nothing is written."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}/metrics", sent
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("login", "token"), [("alice:s3cret%3A%25@", ""), ("", "s3cret-token\n")])
def test_a_login_is_sent_to_the_endpoint_alone_and_never_shown(
    login: str,
    token: str,
    folder: Path,
    guarded: tuple[str, list[str | None]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place, sent = guarded
    monkeypatch.setenv("AUDITPROOF_METRICS_TOKEN", token)
    monkeypatch.delenv("http_proxy", raising=False)

    assert main(["forecast", "p.yaml", "--metrics", f"http://{login}{place}", "--over", "1h"]) == 0
    told = capsys.readouterr()
    assert main(["forecast", "p.yaml", "--metrics", f"http://{login.replace('3', '4')}{place}", "--over", "1h"]) == (
        4 if login else 0
    )
    refused = capsys.readouterr()

    assert sent[0] is not None
    assert sent[1] is None  # of the other host
    for text in (told.out, told.err, refused.out, refused.err):
        assert not any(part in text for part in ("s3cret", "s4cret", "alice"))
    assert not login or "the login is refused" in refused.err


@pytest.mark.usefixtures("folder")
def test_an_endpoint_that_wants_a_login_says_how_to_give_one(
    guarded: tuple[str, list[str | None]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forecast", "p.yaml", "--metrics", f"http://{guarded[0]}"]) == 4
    assert (
        "https://user:password@host/metrics, or a bearer token in AUDITPROOF_METRICS_TOKEN" in capsys.readouterr().err
    )
