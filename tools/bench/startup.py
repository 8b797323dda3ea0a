"""What it costs to start: the command, and pytest with the plugin."""

from __future__ import annotations

import sys
import tempfile
from functools import partial

from auditproof import content
from tools.bench.measure import cpu_of_process, environment, smallest
from tools.bench.parts import Ratio

POLICY = content.root() / "fixtures" / "policies" / "baseline.yaml"
PYTHON = "python -c pass"
# What starts, imports; so this is slowed down by a load on the machine as much as the rest is.
_MODULES = (
    "asyncio, email.message, http.server, logging.config, sqlite3, unittest.mock, urllib.request, xml.dom.minidom"
)
UNIT = "python importing 8 modules"
_PYTEST = ["-m", "pytest", "--collect-only", "-q"]
_PYTEST += ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio"]
_COMMANDS = {
    UNIT: ["-c", f"import {_MODULES}"],
    PYTHON: ["-c", "pass"],
    "import auditproof": ["-c", "import auditproof"],
    "auditproof --help": ["-m", "auditproof", "--help"],
    "auditproof lint POLICY": ["-m", "auditproof", "lint", str(POLICY)],
    "auditproof explain POLICY": ["-m", "auditproof", "explain", str(POLICY), "--verb=get", "--path=/livez"],
    "pytest without the plugin": [*_PYTEST, "-p", "no:auditproof.plugin"],
    "pytest with the plugin, in a project without cases": _PYTEST,
}


def measure() -> dict[str, Ratio]:
    """Ratios to a start of Python that imports a part of its library; all modules are compiled by then."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as bytecode:
        works = {
            name: partial(cpu_of_process, [sys.executable, *command], folder, environment(bytecode))
            for name, command in _COMMANDS.items()
        }
        for work in works.values():
            work()  # compiles the modules
        least = smallest(works)
    return {name: Ratio(spent / least[UNIT], UNIT) for name, spent in least.items() if name != UNIT}
