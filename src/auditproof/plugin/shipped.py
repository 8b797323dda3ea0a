"""The shipped suites in somebody else's project; ``auditproof run`` loads it (``-p auditproof.plugin.shipped``).

pytest determines its root folder and ini file by the paths that the user gave, as without this module, and only then
gets the suites. They keep their ids, wherever auditproof is installed.
"""

from __future__ import annotations

from argparse import SUPPRESS
from typing import TYPE_CHECKING

import pytest

from auditproof import content
from auditproof.plugin.asked import effective

if TYPE_CHECKING:
    from pathlib import Path

SUITE = "--shipped-suite"
DEFAULT_COVERAGE = "conditions"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option by which ``auditproof run`` names the suites."""
    parser.addoption(SUITE, action="append", default=[], help=SUPPRESS)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Put the suites before the user's paths, so that their conftest.py is loaded and not that of any folder."""
    known = early_config.known_args_namespace
    suites = known.shipped_suite
    args[:0] = suites
    known.file_or_dir = [*suites, *known.file_or_dir]


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Set the coverage if nothing else does: before any plugin is configured, and reads it."""
    if not effective(config, "coverage"):
        config.option.audit_coverage = DEFAULT_COVERAGE


def pytest_configure(config: pytest.Config) -> None:
    """Collect the suites' tests whatever the user's tests are called."""
    config.addinivalue_line("python_files", "test_*.py")
    config.addinivalue_line("python_functions", "test_")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Give a test of the suites the id that it has in auditproof's own root folder."""
    name = content.shipped_name(module_path)
    return pytest.Module.from_parent(parent, path=module_path, nodeid=name) if name else None
