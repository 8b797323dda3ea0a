"""Writes docs/exit-codes.md from the table of exit codes and what each command means by them. ``make codes``."""

from __future__ import annotations

from importlib import import_module

from auditproof import content
from auditproof.cli.exit_codes import BY_SIGNAL, MEANINGS
from auditproof.cli.main import COMMANDS

DOCUMENT = content.root() / "docs" / "exit-codes.md"
HEAD = """\
# Exit codes

<!-- Written by `make codes` from `src/auditproof/cli/exit_codes.py` and the commands. -->

Write scripts and CI jobs that treat all commands alike.

All commands have the same exit codes. They are pytest's, because `auditproof run` is pytest; so an interruption is 2
everywhere, and not the 130 of a shell.

| code | meaning |
| --- | --- |
"""


def document() -> str:
    """The text of docs/exit-codes.md."""
    rows = [f"| {int(code)} | {meaning} |\n" for code, meaning in MEANINGS.items()]
    head = f"\n{BY_SIGNAL}\n\n## What a command means by them\n\n| command | code | meaning |\n| --- | --- | --- |\n"
    return "".join([HEAD, *rows, head, *(_rows(name) for name in COMMANDS)])


def _rows(name: str) -> str:
    codes = import_module(f"auditproof.cli.{name.replace('-', '_')}").EXIT_CODES
    return "".join(f"| `{name}` | {int(code)} | {text} |\n" for code, text in codes.items())


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
