"""The cost cut of docs/replay.md, step by step in one folder: each command writes what the page shows."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from auditproof.cli.main import main
from tests.support.pages import BLOCKS, agree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def test_the_commands_write_what_the_page_shows_one_after_the_other(
    project: Callable[[bool], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(False)
    blocks = [block for block in BLOCKS if block.page == "docs/replay.md"]
    generated = next(block for block in blocks if "generate-log" in block.text)
    assert main(shlex.split(generated.commands[0])[1:]) == 0
    sessions = [block for block in blocks if block.is_session]
    assert len(sessions) == 2

    for block in blocks:
        if block.title:
            (folder / block.title).write_text(block.text)
        if block in sessions:
            capsys.readouterr()
            main(shlex.split(block.commands[0])[1:])
            written = capsys.readouterr().out.rstrip("\n").splitlines()
            assert agree(written, block.shown), "\n".join(["the page shows something else than:", *written])
