"""``auditproof replay`` and ``auditproof sql`` as their users call them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditproof.cli.exit_codes import ExitCode
from auditproof.cli.main import main
from auditproof.replay import extra
from auditproof.replay.price import parse_price
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from pathlib import Path

OLD = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""
NEW = OLD.replace("- level", "- level: None\n  resources: [{group: coordination.k8s.io, resources: [leases]}]\n- level")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    main(["generate-log", "--events", "2000", "--days", "7", "--policy", "old.yaml", "--output", "week.log"])
    return tmp_path


@pytest.mark.usefixtures("here")
def test_the_result_says_what_is_saved_and_what_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["replay", "new.yaml", "week.log", "--base", "old.yaml", "--price", "$2/GiB"]

    assert main([*arguments, "--format", "json"]) == ExitCode.FINE
    found = json.loads(capsys.readouterr().out)
    assert main(arguments) == main([*arguments, "--format", "markdown", "--output", "page.md"]) == ExitCode.FINE
    text = capsys.readouterr().out

    assert found["deviations"] == []
    assert found["base_volume"] == found["recorded"]
    leases = next(one for one in found["resources"] if one["name"] == "leases.coordination.k8s.io")
    assert found["recorded"]["bytes"] - found["after"]["bytes"] == leases["recorded"]["bytes"] > 0
    assert found["month"]["recorded"] == pytest.approx(2 * 30 * found["recorded"]["bytes"] / found["days"] / 2**30)
    assert "leases.coordination.k8s.io" in found["lost"][0]
    assert found["headline"] in text
    assert "new.yaml:5 (rule 1, None)" in text


def test_what_is_not_counted_makes_the_exit_code_1_and_an_empty_log_5(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (here / "week.log").open("ab") as file:
        file.write(b'{"kind":"Event","apiVersion":"audit')
    (here / "empty.log").write_bytes(b"")

    assert main(["replay", "new.yaml", "week.log"]) == ExitCode.FOUND
    assert "week.log:2001: not an audit event" in capsys.readouterr().out
    assert main(["replay", "new.yaml", "empty.log"]) == ExitCode.NOTHING_SHOWN


@pytest.mark.usefixtures("here")
def test_without_the_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda _: None)

    assert main(["replay", "new.yaml", "week.log"]) == main(["sql", "new.yaml"]) == ExitCode.UNUSABLE
    assert 'pip install "auditproof[replay]"' in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, 128 + 15)])
def test_ctrl_c_and_sigterm_end_a_replay_and_leave_nothing(here: Path, number: signal.Signals, code: int) -> None:
    line = (here / "week.log").read_bytes().partition(b"\n")[0] + b"\n"
    (here / "large.log").write_bytes(line * (150_000_000 // len(line)))
    (here / "tmp").mkdir()
    command = [sys.executable, "-m", "auditproof", "replay", "new.yaml", "large.log"]
    environment = {**os.environ, "TMPDIR": str(here / "tmp")}
    listening = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731 - also in the background
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=listening
    ) as process:
        wait_until(lambda: next((here / "tmp").iterdir(), None), what="the folder of the run", timeout_s=60)
        process.send_signal(number)
        output, errors = process.communicate(timeout=120)

    assert (process.returncode, output) == (code, b"")
    assert b"Traceback" not in errors
    assert list((here / "tmp").iterdir()) == []


@pytest.mark.usefixtures("here")
def test_sql_is_printed_for_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "new.yaml", "--dialect", "bigquery", "--table", "audit.events"]) == ExitCode.FINE

    text = capsys.readouterr().out
    assert text.startswith("-- Audit policy new.yaml")
    assert "bigquery: parsed, not run." in text.splitlines()[0]
    assert "FROM audit.events" in text


@pytest.mark.parametrize("text", ["", "0.5", "x/GiB", "0.5/KB", "-1/GB", "0.5/GiB/day"])
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected an amount per unit, such as 0\.50/GiB"):
        parse_price(text)
