"""What a shell can complete, out of the parsers of all commands."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION, ALL = "VERSION", "all"  # as in kube.versions
# Written out, because to import what they are made from takes longer than all the rest.
DEPTHS = ("rules", "conditions", "all", "none")
EFFECTS = ("lost", "lost-bodies", "lost-events", "lost-stages", "exposed", "more", "blind", "none")
_FILES = re.compile(r"LOG|FILE|FOLDER|POLICY|OLD|NEW|PATH|RESULTS|FIRST|SECOND|PROFILE|SPEC")  # what takes a file


@dataclass(frozen=True, slots=True)
class Argument:
    """An option with its ``flags``, or an argument without; ``text`` says what it is for.

    ``takes`` is the name of its value, empty if it takes none. ``values`` are the known ones, ``files``: it may be one.
    """

    flags: tuple[str, ...]
    text: str
    takes: str
    values: tuple[str, ...]
    files: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A command with its arguments; ``help`` is what the list of commands says of it."""

    name: str
    help: str
    options: tuple[Argument, ...]
    arguments: tuple[Argument, ...]


def commands() -> tuple[Command, ...]:
    """Every command of auditproof."""
    from auditproof.cli.main import COMMANDS, parser_of

    known = _known()
    found = []
    for name, text in COMMANDS.items():
        all_ = tuple(_arguments(parser_of(name), known))
        options = tuple(one for one in all_ if one.flags)
        found.append(Command(name, text, options, tuple(one for one in all_ if not one.flags)))
    return tuple(found)


def _arguments(parser: argparse.ArgumentParser, known: dict[str, tuple[str, ...]]) -> Iterator[Argument]:
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        takes = "" if action.nargs == 0 else str(action.metavar or action.dest)
        values = tuple(map(str, action.choices)) if action.choices else known.get(takes, ())
        if ALL not in (action.help or "").split():
            values = tuple(value for value in values if value != ALL or takes != VERSION)  # one version, not several
        text = re.split(r"; | \(", action.help or "")[0]
        yield Argument(tuple(action.option_strings), text, takes, values, bool(_FILES.search(takes)))


def _known() -> dict[str, tuple[str, ...]]:
    """The values that a parser takes for text, by the name of the argument."""
    from auditproof import content
    from auditproof.analysis.lint.catalogue import CATALOGUE
    from auditproof.kube.discovery import minors

    root = content.root()
    return {
        VERSION: (*minors(), ALL),
        "NAME|FILE": tuple(sorted(path.stem for path in (root / "suites" / "requirements").glob("*.yaml"))),
        "PROFILE": tuple(sorted(path.stem for path in (root / "clusters").glob("*.yaml"))),
        "DEPTH": DEPTHS,
        "EFFECT": EFFECTS,
        "EFFECT[,EFFECT]": EFFECTS,
        "WHEN": ("always", "once", "never"),
        "WHICH": ("unmet", "new", "never"),
        "CODE": tuple(CATALOGUE),
    }
