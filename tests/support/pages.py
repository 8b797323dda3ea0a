"""The documents as their readers get them: README.md and docs/, and the blocks of code in them.

A comment directly above a block says how it is tested, if not in the usual way:

- ``not run: REASON``: its commands need something outside; that their options exist is tested all the same
- ``live``: it needs an API server, and is tested in tests/live
- ``live with OPTIONS, because REASON``: the same, with fewer requests
- ``exits N: REASON``: the exit code is not 0, also after ``live ...;``
- ``part of KIND``: YAML that is complete inside a document of that kind
- ``output of ...``, ``drawing``: text that no command is given for
- ``...: tests/....py ...``: another test is about it
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PROJECT = ROOT / "tests" / "docs" / "project"
GIT = ["git", "-c", "user.name=Zoë", "-c", "user.email=zoe@example.com", "-c", "commit.gpgsign=false"]
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_NOTE = re.compile(r"^\s*<!-- (.*) -->$")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code; ``line`` is where it begins, ``note`` the comment above it, ``title`` the file that it is."""

    page: str
    line: int
    language: str
    title: str
    note: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_session(self) -> bool:
        """Whether it is what a terminal shows: commands after $, and their output."""
        return self.language == "" and self.text.startswith("$ ")

    @property
    def is_live(self) -> bool:
        return self.note.startswith("live")

    @property
    def is_not_run(self) -> bool:
        return self.note.startswith("not run: ")

    @property
    def exits(self) -> int:
        found = re.search(r"\bexits (\d+): ", self.note)
        return int(found[1]) if found else 0

    @property
    def added(self) -> list[str]:
        """The options with which a live command sends fewer requests."""
        found = re.match(r"live with (.*?), because ", self.note)
        return shlex.split(found[1]) if found else []

    @property
    def shown(self) -> list[str]:
        """The output that a session shows."""
        return [line for line in self.text.splitlines() if not line.startswith("$ ")]

    @property
    def commands(self) -> list[str]:
        """The lines of a shell, each with the lines that continue it."""
        if self.is_session:
            return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]
        if self.language != "sh":
            return []
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


def blocks_of(page: Path) -> list[Block]:
    """Every block of a page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    found: list[Block] = []
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if not fence:
            number += 1
            continue
        end = next(n for n in range(number + 1, len(lines)) if lines[n].strip() == "```")
        text = "".join(f"{line.removeprefix(fence['indent'])}\n" for line in lines[number + 1 : end])
        language, _, rest = fence["info"].partition(" ")
        title = re.search(r'title="([^"]+)"', rest)
        note = _NOTE.match(lines[number - 1]) if number else None
        said = note[1] if note else ""
        name = page.relative_to(ROOT).as_posix()
        found.append(Block(name, number + 1, language, title[1] if title else "", said, text))
        number = end + 1
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def simple_commands(line: str) -> list[list[str]]:
    """The words of each simple command in a line of a shell, without redirections and the comment at the end."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>&;()")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if re.fullmatch(r"[|<>&;()]+", word):
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words]


def put_files(folder: Path, blocks: Iterable[Block]) -> None:
    """Write each block that is a file."""
    for block in blocks:
        if block.title:
            file = folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")


def agree(written: list[str], shown: list[str]) -> bool:
    """Whether the lines are those that are shown, where ``...`` may be any number of them."""
    if not shown:
        return not written
    if shown[0].strip() == "...":
        return any(agree(written[n:], shown[1:]) for n in range(len(written) + 1))
    return bool(written) and written[0].rstrip() == shown[0].rstrip() and agree(written[1:], shown[1:])


def make_project(folder: Path) -> None:
    """Make the folder in which the commands of the pages are run: its branch main is that of origin, too."""
    shutil.copytree(PROJECT, folder)
    shutil.copytree(ROOT / "fixtures" / "policies", folder / "fixtures" / "policies")
    shutil.copy(folder / "policies" / "prod.yaml", folder / "policies" / "staging.yaml")
    for command in (
        ["init", "--quiet", "--template=", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message=Policies"],
        ["update-ref", "refs/remotes/origin/main", "main"],
    ):
        subprocess.run([*GIT, *command], cwd=folder, check=True)


def change_policy(folder: Path) -> None:
    """Make the change that the pages with ``git:`` are about: prod.yaml becomes next.yaml."""
    shutil.copy(folder / "policies" / "next.yaml", folder / "policies" / "prod.yaml")
