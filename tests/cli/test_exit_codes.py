"""One table of exit codes: every command ends with these codes, and says what it means by them."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from auditproof.cli import diff, lint
from auditproof.cli.exit_codes import MEANINGS, ExitCode
from auditproof.cli.main import COMMANDS, main
from auditproof.proof.verdict import Outcome
from auditproof.wait import wait_until
from tests.support.ports import listens
from tools.exit_codes import DOCUMENT, document

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = ("--user", "alice", "--verb", "get", "--path", "/")
AFTER_THE_FILE = {
    "explain": REQUEST,
    "evaluate": ("--requests", "-"),
    "diff": ("POLICY",),
    "compare": ("POLICY",),
    "detections": ("--rules", "POLICY"),
    "replay": ("POLICY",),
    "forecast": ("--metrics", "POLICY"),
    "receive": ("--listen", "127.0.0.1:1"),
}
BEFORE_THE_FILE = {"init": ("--policy",), "generate-log": ("--events", "1", "--policy"), "cleanup": ("--kubeconfig",)}
WITHOUT_A_FILE = {"cache", "completion", "doctor", "fetch", "mcp", "schema"}  # commands that read none
IN_A_PROCESS = {"run"}  # it becomes pytest


def code_of(name: str, *arguments: str) -> int:
    if name in IN_A_PROCESS:
        command = [sys.executable, "-m", "auditproof", name, *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode
    try:
        return main([name, *arguments])
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text("apiVersion: [\n")
    (tmp_path / "POLICY").write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n")
    return tmp_path


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in WITHOUT_A_FILE])
@pytest.mark.parametrize("file", ["missing.yaml", "broken.yaml"])
@pytest.mark.usefixtures("here")
def test_a_file_that_cannot_be_used_is_code_4(name: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "receive":
        file = "broken.yaml"  # a folder that is not there is made
    arguments = [*BEFORE_THE_FILE.get(name, ()), file, *AFTER_THE_FILE.get(name, ())]

    assert code_of(name, *arguments) == ExitCode.UNUSABLE

    output = capsys.readouterr()
    assert name in IN_A_PROCESS or file in output.out + output.err
    assert "Traceback" not in output.err


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("here")
def test_an_unknown_option_is_code_4(name: str) -> None:
    known = [*BEFORE_THE_FILE.get(name, ()), *(() if name in WITHOUT_A_FILE else ("POLICY",))]
    assert code_of(name, *known, *AFTER_THE_FILE.get(name, ()), "--reprot") == ExitCode.UNUSABLE


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_its_codes_mean(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(SystemExit):
        main([name, "--help"])
    said = capsys.readouterr().out
    assert said.lower().count("exit codes") == 1, "the table is the only place"
    stated = {int(code) for code in re.findall(r"^  (\d+)  +\S", said, re.MULTILINE)}
    assert stated == set(import_module(f"auditproof.cli.{name.replace('-', '_')}").EXIT_CODES)
    assert ExitCode.UNUSABLE in stated


def test_help_shows_the_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert {int(code) for code in re.findall(r"^  (\d+) +\S", said, re.MULTILINE)} == set(MEANINGS) == set(ExitCode)


def test_the_codes_are_those_of_pytest() -> None:
    theirs = pytest.ExitCode
    assert (ExitCode.FINE, ExitCode.FOUND) == (theirs.OK, theirs.TESTS_FAILED)
    assert (ExitCode.INTERRUPTED, ExitCode.INTERNAL_ERROR) == (theirs.INTERRUPTED, theirs.INTERNAL_ERROR)
    assert (ExitCode.UNUSABLE, ExitCode.NOTHING_SHOWN) == (theirs.USAGE_ERROR, theirs.NO_TESTS_COLLECTED)


def test_the_document_is_written_from_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "`make codes` writes docs/exit-codes.md"


@pytest.mark.parametrize(
    ("error", "code"), [(RuntimeError("a fault"), ExitCode.INTERNAL_ERROR), (KeyboardInterrupt(), ExitCode.INTERRUPTED)]
)
def test_a_fault_of_auditproof_is_no_finding(
    error: BaseException, code: ExitCode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python ends with 1 after an exception, which would mean that lint has found something."""

    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(lint, "execute", fail)
    assert main(["lint", "p.yaml"]) == code
    said = capsys.readouterr().err
    assert ("RuntimeError: a fault" in said and "please report it" in said) is (code == ExitCode.INTERNAL_ERROR)


class Shown:
    """In the place of what two servers have shown: the seam is ``show_live``, and no server runs."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def __str__(self) -> str:
        return "what was shown"


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.PROVEN, 0), (Outcome.VIOLATED, 1), (Outcome.UNPROVEN, 1)])
def test_a_change_that_is_allowed_and_not_shown_does_not_pass(
    outcome: Outcome, code: int, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "new.yaml").write_text((here / "POLICY").read_text().replace("Metadata", "Request"))
    monkeypatch.setattr(diff, "show_live", lambda *_: [Shown(outcome)])
    assert main(["diff", "POLICY", "new.yaml", "--forbid", "lost", "--live"]) == code


def receive(folder: Path, port: int) -> subprocess.Popen[str]:
    """``auditproof receive``, which gets SIGINT also if this test runs in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "auditproof", "receive", str(folder), "--listen", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def test_receive_ends_with_the_codes_of_all_commands(tmp_path: Path) -> None:
    """It is another program by then, which cannot import the table."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = int(one.getsockname()[1])
        with receive(tmp_path / "received", port) as refused:
            said = refused.communicate()[1]
    assert said == f"events cannot be received at 127.0.0.1:{port}: Address already in use; choose another address\n"
    assert refused.returncode == ExitCode.UNUSABLE

    with receive(tmp_path / "received", port) as receiver:
        wait_until(lambda: listens(port) or receiver.poll(), what="the receiver to listen", timeout_s=30)
        receiver.send_signal(signal.SIGINT)
        assert (receiver.communicate()[1], receiver.returncode) == ("", ExitCode.INTERRUPTED)
