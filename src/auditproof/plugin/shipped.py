"""The shipped suites in another project; ``auditproof run`` loads it (``-p auditproof.plugin.shipped``).

pytest determines its root folder and ini file by the paths that the user gave, as without this module, and only then
gets the suites. They keep their ids, wherever auditproof is installed.
"""

from __future__ import annotations

from argparse import SUPPRESS
from typing import TYPE_CHECKING

import pytest

from auditproof import content
from auditproof.options import OPTIONS
from auditproof.plugin.asked import effective
from auditproof.plugin.options import paths_of
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SUITE = "--shipped-suite"
TOO = "--shipped-too"
ADDED: pytest.StashKey[bool] = pytest.StashKey()  # whether the suites are part of the run
OWN = [f"--{option.name}" for option in OPTIONS]
DEFAULT_COVERAGE = "conditions"
DEFAULT_REFERENCE = "once"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options by which ``auditproof run`` names the suites, and says that own paths do not replace them."""
    parser.addoption(SUITE, action="append", default=[], help=SUPPRESS)
    parser.addoption(TOO, action="store_true", default=False, help=SUPPRESS)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None]:
    """Run the suites if the user gave no path, or wants both.

    They come before the user's paths, so that their conftest.py is loaded and not that of any folder. Raises UsageError
    for an unknown option, once the user's conftest.py has declared its own.
    """
    known = early_config.known_args_namespace
    suites = known.shipped_suite if known.shipped_too or not known.file_or_dir else []
    early_config.stash[ADDED] = bool(suites)
    args[:0] = suites
    known.file_or_dir = [*suites, *known.file_or_dir]
    result = yield
    _, unknown = parser.parse_known_and_unknown_args(args)
    for option in (word.partition("=")[0] for word in unknown if word.startswith("--")):
        raise pytest.UsageError(f"auditproof run: unknown option {option}{did_you_mean(option, OWN, quote='')}")
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Set what nothing else sets: before any plugin is configured, and reads it."""
    if not effective(config, "coverage"):
        config.option.audit_coverage = DEFAULT_COVERAGE
    if not effective(config, "reference"):
        config.option.audit_reference = DEFAULT_REFERENCE


def pytest_configure(config: pytest.Config) -> None:
    """Collect the suites' tests whatever the user's tests are called."""
    if not config.stash[ADDED]:
        return
    config.addinivalue_line("python_files", "test_*.py")
    config.addinivalue_line("python_functions", "test_")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Give a test of the suites the id that it has in auditproof's own root folder."""
    name = content.shipped_name(module_path)
    return pytest.Module.from_parent(parent, path=module_path, nodeid=name) if name else None


def pytest_report_header(config: pytest.Config) -> str:
    """Which cases are performed, and how to get the others."""
    if config.stash[ADDED]:
        return f"auditproof: cases of {', '.join(paths_of(config))}"
    return f"auditproof: cases of {', '.join(paths_of(config))}, without the shipped suites (--shipped adds them)"
