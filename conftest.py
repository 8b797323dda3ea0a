"""Where engine and content meet: the plugin collects the suites, and the suites get their own fixtures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

FIXTURES = Path(__file__).parent / "fixtures"
MARKERS = (
    "covers(*facts): the facts that this test shows, by their ids in a list of facts (suites/facts.yaml)",
    "backends: what the audit backends of an API server with flags of its own carry to the reader",
)


def pytest_configure(config: pytest.Config) -> None:
    """Register the suites' marks, and fixtures/*.py under names that no installed package can take."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    for path in sorted(FIXTURES.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"auditproof_fixtures_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        config.pluginmanager.register(module, spec.name)
