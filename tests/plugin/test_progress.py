"""The line that tells how far a run is: drawn below what pytest writes, and gone without a trace."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from auditproof.proof.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WIDTH = 80
# A run that tells its progress as fast as it can, with tests that last until the line has been told.
CONFTEST = """
import pytest
from auditproof.plugin import progress

progress.REDRAWN_EVERY_S = progress.TOLD_EVERY_S = 0.001
told = __import__("threading").Event()

def text(seconds):
    told.set()
    return "how far it is, in words that are " + "very " * 20 + "long"

@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    running = progress.Progress(session.config, text) if TELL else None
    yield
    if running:
        running.stop()
        running.stop()

@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if SAY:
        from auditproof.plugin.screen import terminal_lines
        terminal_lines(CONFIG[0])("said")

CONFIG = []

def pytest_configure(config):
    CONFIG.append(config)

@pytest.fixture(autouse=True)
def wait():
    told.clear()
    assert not TELL or told.wait(10)
"""
TESTS = """
import pytest

@pytest.mark.parametrize("n", range(20))
def test_many(n):
    print("caught")

def test_wrong():
    assert "ä" == "日本"
"""


class Terminal:
    """What is seen on a terminal of WIDTH columns and any height."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]
        self.x = self.y = 0

    def write(self, text: str) -> None:
        for number, letter, plain in re.findall(r"\x1b\[([0-9]*)[0-9;]*([A-Za-z])|([^\x1b])", text):
            if letter == "J":
                del self.lines[self.y + 1 :], self.lines[self.y][self.x :]
            elif letter == "A":
                self.y -= 1
            elif letter == "G":
                self.x = int(number) - 1
            elif plain == "\r":
                self.x = 0
            elif plain == "\n":
                self._down()
            elif plain:
                self._put(plain)

    def _put(self, character: str) -> None:
        if self.x == WIDTH:
            self.x = 0
            self._down()
        row = self.lines[self.y]
        row += [" "] * (self.x + 1 - len(row))
        row[self.x] = character
        self.x += 1

    def _down(self) -> None:
        self.y += 1
        if self.y == len(self.lines):
            self.lines.append([])

    def text(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self.lines)


def written(folder: Path, *options: str, tell: bool, terminal: bool = True) -> str:
    """What a run writes, to a terminal or to a file."""
    (folder / "conftest.py").write_text(CONFTEST.replace("TELL", str(tell)).replace("SAY", str(tell and not terminal)))
    (folder / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "--rootdir=.", "-p", "no:cacheprovider", *options]
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("AUDITPROOF_")}
    environment = {**kept, "TERM": "xterm", "COLUMNS": str(WIDTH), "PYTHONUTF8": "1"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=theirs if terminal else subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        if process.stdout is not None:
            os.close(ours)
            return process.stdout.read().decode()
        found = b"".join(chunks(ours))
        os.close(ours)
    return found.decode()


def chunks(terminal: int) -> Iterator[bytes]:
    """What comes through a pseudo-terminal until its other end is closed (Linux answers EIO then)."""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            return
        if not chunk:
            return
        yield chunk


def seen(text: str) -> str:
    terminal = Terminal()
    terminal.write(text)
    return re.sub(r"in \d+\.\d+s", "in a while", terminal.text())


@pytest.mark.parametrize("options", [(), ("-q",), ("-v",)])
def test_a_terminal_looks_afterwards_as_if_nothing_had_been_told(tmp_path: Path, options: tuple[str, ...]) -> None:
    told, silent = (written(tmp_path, *options, tell=tell) for tell in (True, False))

    assert told.count("how far it is") > 15
    assert silent.count("how far it is") == 0
    assert seen(told).replace("=", "") == seen(silent).replace("=", "")


def test_the_line_is_no_wider_than_the_terminal(tmp_path: Path) -> None:
    told = written(tmp_path, tell=True)
    assert "long" not in told


def test_elsewhere_plain_lines_are_told_and_nothing_is_broken(tmp_path: Path) -> None:
    told = written(tmp_path, tell=True, terminal=False)
    lines = told.splitlines()
    assert sum(line.startswith("how far it is") and line.endswith("long") for line in lines) > 15
    assert "\x1b" not in told
    assert [line for line in lines if "how far it is" in line and not line.startswith("how far it is")] == []
    assert "20 passed" in lines[-1]
    assert [line for line in lines if "said" in line and line != "said"] == [], "what is said has a line of its own"


def test_a_quiet_run_and_a_run_whose_tests_write_themselves_get_no_line(tmp_path: Path) -> None:
    assert "how far it is" not in written(tmp_path, "-q", tell=False, terminal=False)
    assert "\x1b[A" not in written(tmp_path, "-s", "--no-summary", "--collect-only", tell=True)


def test_every_process_and_thread_counts_into_the_same_tally(tmp_path: Path) -> None:
    tallies = [Tally(tmp_path / "performed") for _ in range(3)]
    threads = [threading.Thread(target=lambda one=one: [one.add() for _ in range(100)]) for one in tallies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.count() for one in tallies] == [300, 300, 300]
