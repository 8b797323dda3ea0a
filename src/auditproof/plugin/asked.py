"""Reads the options of a pytest process, and whether the run concerns auditproof at all.

Every pytest process in the installation imports this module: standard library and pytest only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from auditproof.options import OPTIONS, ValueKind, option_named

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WORKER_KEY = "auditproof"  # in the workerinput that the controller passes to its workers
CASE_FILE = ".audit.yaml"  # the suffix of case files
_SEPARATED = {ValueKind.LINES: "; several: one per line", ValueKind.LIST: "; several: separated by commas"}


def add_options(parser: pytest.Parser) -> None:
    """Declare every option of a run, with its environment variable and ini key."""
    group = parser.getgroup("auditproof", "auditproof: test what a Kubernetes audit policy records")
    for option in OPTIONS:
        text = option.help + _SEPARATED.get(option.kind, "")
        text += f" [environment: {option.variable}]" if option.variable else ""
        if option.kind is ValueKind.FLAG:
            group.addoption(option.flag, action="store_true", default=False, help=text)
        else:
            group.addoption(option.flag, metavar=option.metavar, default=None, help=text)
        if option.ini:
            parser.addini(option.ini, text, default="")


def effective(config: pytest.Config, name: str) -> str:
    """The value of an option that takes one: from the command line, else the environment, else the ini file, else "".

    An empty argument on the command line overrides the others; an empty variable does not.
    """
    option = option_named(name)
    given = _outside_the_ini_file(config, name)
    return given if given is not None else str((option.ini and config.getini(option.ini)) or "")


def folder_of(config: pytest.Config, name: str) -> Path:
    """The folder that the paths in an option's value are relative to.

    It is that of the ini file for a key in there, as pytest has it, and otherwise where pytest was called.
    """
    in_ini_file = _outside_the_ini_file(config, name) is None
    return config.inipath.parent if in_ini_file and config.inipath else config.invocation_params.dir


def _outside_the_ini_file(config: pytest.Config, name: str) -> str | None:
    """The value from the command line or the environment."""
    option = option_named(name)
    given = config.getoption(option.flag)
    return str(given) if given is not None else os.environ.get(option.variable or "") or None


def asked_for(config: pytest.Config) -> bool:
    """Whether any option with a value is given, except those that only say more about a run."""
    values = (option for option in OPTIONS if option.kind is not ValueKind.FLAG and not option.secondary)
    return any(effective(config, option.name) for option in values)


def is_case_file(path: Path, parent: pytest.Collector) -> bool:
    """Whether a file is to be collected as cases: by its name, and unless it is another program's file of that name.

    A file that mentions neither auditproof nor CaseFile is left alone, unless the run concerns auditproof or names
    the file: there a case file without its first lines must be an error, and not be missed.
    """
    if not path.name.endswith(CASE_FILE):
        return False
    if asked_for(parent.config) or parent.session.isinitpath(path):
        return True
    try:
        data = path.read_bytes().replace(b"\0", b"")  # so that UTF-16 is read, too
    except OSError:
        return True  # the error about it says why it cannot be read
    return b"auditproof" in data or b"CaseFile" in data


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def distributes(config: pytest.Config) -> bool:
    """Whether this process has workers."""
    return bool(getattr(config.option, "tx", None))
