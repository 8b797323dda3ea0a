"""``auditproof completion``, tried in the shells themselves; one that is not installed is skipped with the reason."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from auditproof.analysis.coverage import Depth
from auditproof.analysis.gate.consequence import GROUPS
from auditproof.cli.completion import SHELLS
from auditproof.cli.completions.words import DEPTHS, EFFECTS, commands
from auditproof.cli.main import COMMANDS, main

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "--no-execute"]}
LIMIT_S = 30.0


def installed(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


def script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The script of a shell, in a file whose path has a blank."""
    assert main(["completion", shell]) == 0
    file = tmp_path / f"completion of.{shell}"
    file.write_text(capsys.readouterr().out)
    return file


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_has_every_command_and_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if not re.search(rf"\b{name}\b", text)] == []
    flags = {flag for one in commands() for option in one.options for flag in option.flags}
    assert "--requirements" in flags and "--audit-log" not in flags
    spelled = {flag: f"-l {flag[2:]}" if shell == "fish" and flag.startswith("--") else flag for flag in flags - {"-h"}}
    assert [flag for flag, text_ in spelled.items() if text_ not in text] == []


def test_the_values_that_are_written_out_are_those_of_the_code() -> None:
    assert set(DEPTHS) == {*Depth, "none"}
    assert set(EFFECTS) == {*GROUPS, "blind", "none"}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_valid(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    installed(shell)
    done = subprocess.run(
        [*CHECKS[shell], str(script(shell, tmp_path, capsys))], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["exp"], ["explain-code", "explain"]),
        (["--v"], ["--version"]),
        (["lint", "--fo"], ["--format"]),
        (["lint", "--format", ""], ["text", "json", "sarif", "github"]),
        (["lint", "policy.yaml", "--format", "s"], ["sarif"]),
        (["lint", "--format", "="], ["text", "json", "sarif", "github"]),
        (["lint", "--format", "=", "j"], ["json"]),
        (["lint", "--kubernetes", "1.3"], ["1.34", "1.35", "1.36", "1.37"]),
        (["lint", "--kubernetes", "a"], ["all"]),
        (["explain", "--kubernetes", "a"], []),
        (["run", "p.yaml", "--requirements", "ci"], ["cis"]),
        (["run", "p.yaml", "--coverage", ""], ["rules", "conditions", "all", "none"]),
        (["run", "p.yaml", "--reference", ""], ["always", "once", "never"]),
        (["run", "p.yaml", "--cluster", "k"], ["kind", "kind-podman"]),
        (["schema", "p"], ["profile", "policy"]),
        (["cache", "c"], ["clear"]),
        (["explain-code", "AP40"], ["AP401", "AP402", "AP403", "AP404"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["lint", "pol"], []),
        (["lint", "--kubernetes", "1.37", ""], []),
        (["no-such-command", "--f"], []),
    ],
    ids=" ".join,
)
def test_bash_offers_what_fits(
    words: list[str], offered: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The function, as readline calls it; where it offers nothing, readline offers files."""
    file = script("bash", tmp_path, capsys)
    given = " ".join(f"'{word}'" for word in ["auditproof", *words])
    program = f"source '{file}'; COMP_WORDS=({given}); COMP_CWORD={len(words)}; _auditproof; "
    program += r"""printf '%s\n' "${COMPREPLY[@]}" """
    done = subprocess.run([installed("bash"), "--norc", "-c", program], capture_output=True, text=True, check=False)
    assert (sorted(done.stdout.split()), done.stderr) == (sorted(offered), "")


class Terminal:
    """A shell in a terminal of its own, in a folder with a file."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, {**os.environ, "TERM": "dumb", "PS1": "$ ", "HOME": str(folder)})
        self.shown = ""

    def type(self, keys: str, until: str) -> None:
        """Type keys, and read what is shown until it has this text."""
        os.write(self.descriptor, keys.encode())
        deadline, begin = time.monotonic() + LIMIT_S, len(self.shown)
        while until not in self.shown[begin:]:
            ready, _, _ = select.select([self.descriptor], [], [], deadline - time.monotonic())
            assert ready, f"{until!r} is not shown: {self.shown[begin:]!r}"
            self.shown += os.read(self.descriptor, 4096).decode(errors="replace")

    def close(self) -> None:
        with suppress(OSError):
            os.close(self.descriptor)
        os.waitpid(self.pid, 0)


@pytest.mark.parametrize(
    ("shell", "options", "begin"),
    [("bash", ["--norc", "--noprofile", "-i"], ""), ("zsh", ["-f", "-i"], "autoload -U compinit; compinit -D; ")],
    ids=["bash", "zsh"],
)
def test_tab_completes_in_a_terminal(
    shell: str, options: list[str], begin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command, an option, a value and a file."""
    terminal = Terminal([installed(shell), *options], tmp_path)
    (tmp_path / "policy-of-mine.yaml").touch()
    try:
        terminal.type(f"{begin}source '{script(shell, tmp_path, capsys)}'; echo rea''dy\n", "ready")
        terminal.type("auditproof descr\t", "ibe ")
        terminal.type("pol\t", "icy-of-mine.yaml ")
        terminal.type("--sou\t", "rce ")
        terminal.type("--format mark\t", "down ")
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("auditproof descr", ["describe"]),
        ("auditproof describe pol", ["policy-of-mine.yaml"]),
        ("auditproof describe --sou", ["--source"]),
        ("auditproof describe --format ", ["html", "markdown", "text"]),
        ("auditproof run p.yaml --requirements ci", ["cis"]),
        ("auditproof explain-code AP40", ["AP401", "AP402", "AP403", "AP404"]),
    ],
)
def test_fish_offers_what_fits(
    line: str, offered: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fish = installed("fish")
    (tmp_path / "policy-of-mine.yaml").touch()
    program = f"source '{script('fish', tmp_path, capsys)}'; complete -C '{line}'"
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = subprocess.run(
        [fish, "--no-config", "-c", program],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert sorted(shown.split("\t")[0] for shown in done.stdout.splitlines()) == offered, done.stderr
