"""Every command in README.md and docs/ has options that exist, and does what its page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditproof.cli.main import COMMANDS, main, parser_of
from auditproof.options import OPTIONS
from tests.support.pages import BLOCKS, PAGES, ROOT, Block, agree, put_files, simple_commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN = [block for block in BLOCKS if block.language == "sh" and not (block.is_live or block.is_not_run)]
SESSIONS = [block for block in BLOCKS if block.is_session and not (block.is_live or block.is_not_run)]
OF_PYTEST = {"-k", "-m", "-n", "-x", "--lf", "-o", "-v"}


def documented_commands() -> Iterator[tuple[str, str]]:
    """Every command of a page with its place: in blocks, in the steps of CI jobs, and in the text."""
    for block in BLOCKS:
        for command in block.commands:
            yield block.id, command
        if block.language == "yaml":
            for line in block.text.splitlines():
                step = re.match(r"\s*- (?:run: )?((?:auditproof|pytest) .*)$", line)
                if step:
                    yield block.id, step[1]
    for page in PAGES:
        fenced = False
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            fenced ^= line.lstrip().startswith("```")
            for code in () if fenced else re.findall(r"`(auditproof [a-z].*?)`", line):
                yield f"{page.relative_to(ROOT)}:{number}", code.replace("\\|", "|")


def test_every_option_of_every_command_exists() -> None:
    """In blocks, also those that are not run, in jobs for CI, and in the text."""
    seen, wrong = 0, []
    for place, command in documented_commands():
        for words in simple_commands(command):
            if words[:1] == ["uvx"]:
                words = words[1:]
            if words[:1] == ["auditproof"] and len(words) > 1:
                seen += 1
                wrong += [f"{place}: {command}: {fault}" for fault in _faults(words[1:])]
            if words[:1] == ["pytest"]:
                flags = {option.flag for option in OPTIONS} | OF_PYTEST
                wrong += [f"{place}: {word}" for word in _options(words) if word not in flags]

    assert wrong == []
    assert seen > 80


def _faults(words: list[str]) -> Iterator[str]:
    """What is wrong with a command; a word in capitals stands for one of the reader's."""
    name, *arguments = words
    if name.isupper() or name.startswith("-"):
        return
    if name not in COMMANDS:
        yield f"there is no command {name}"
        return
    parser = parser_of(name)
    known = {flag for action in parser._actions for flag in action.option_strings}
    if name == "run":
        known |= OF_PYTEST
    yield from (f"there is no option {word}" for word in _options(arguments) if word not in known)


def _options(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.id)
def test_the_commands_of_a_block_can_be_run(
    block: Block, project: Callable[[bool], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """In a copy of the project, with the files that the page shows; the last one has the exit code that is stated."""
    prepare(block, project)

    codes = [run(command) for command in block.commands]

    told = capfd.readouterr()
    assert codes[-1] == block.exits, told.err
    assert all(code in (0, 1) for code in codes), told.err


@pytest.mark.parametrize("block", SESSIONS, ids=lambda block: block.id)
def test_a_command_writes_what_the_page_shows(
    block: Block, project: Callable[[bool], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """Line by line; ``...`` stands for any lines."""
    prepare(block, project)
    (command,) = block.commands

    run(command)

    written = capfd.readouterr().out.rstrip("\n").splitlines()
    assert agree(written, block.shown), "\n".join(["the page shows something else than:", *written])


def prepare(block: Block, project: Callable[[bool], Path]) -> None:
    """Make the project the working directory, with the files that the page has shown so far."""
    folder = project("git:" in block.text)
    put_files(folder, [other for other in BLOCKS if other.page == block.page and other.line < block.line])


def run(command: str) -> int:
    """The exit code: of a command of auditproof in this process, of anything else by a shell."""
    first, *others = simple_commands(command)
    if first[0] == "auditproof" and first[1] != "run" and not others:
        try:
            return main(first[1:])
        except SystemExit as ended:
            return int(ended.code or 0)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(["bash", "-c", command], env={**os.environ, "PATH": path}, check=False).returncode


# Blocks of other kinds


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    """By this file and its neighbours, or by the test that its comment names."""
    wrong = []
    for block in BLOCKS:
        named = re.search(r"tests/[\w/]+\.py", block.note)
        if named and not (ROOT / named[0]).is_file():
            wrong.append(f"{block.id}: there is no {named[0]}")
        plain_text = block.note.startswith(("output of ", "drawing")) or named
        if block.language == "" and not (block.is_session or plain_text):
            wrong.append(f"{block.id}: say with which command this is written, or what it is")
        if starts_servers(block) and not (block.is_live or block.is_not_run):
            wrong.append(f"{block.id}: this starts servers: say live, or why it is not run")
        if block.language not in ("", "sh", "yaml", "python", "ini") and not named:
            wrong.append(f"{block.id}: blocks of {block.language} are not tested")
    assert wrong == []


def starts_servers(block: Block) -> bool:
    words = [words for command in block.commands for words in simple_commands(command)]
    return any(
        one[:1] == ["pytest"] or (one[:2] == ["auditproof", "run"] and "--no-actions" not in one) for one in words
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_reason_is_given_for_what_is_not_run(page: Path) -> None:
    for block in BLOCKS:
        if block.page == page.relative_to(ROOT).as_posix() and block.is_not_run:
            assert len(block.note) > len("not run: ") + 10
