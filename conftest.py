"""Where engine and content meet: the plugin collects the suites, and the suites get their own fixtures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

FIXTURES = Path(__file__).parent / "fixtures"


def pytest_configure(config: pytest.Config) -> None:
    """Register fixtures/*.py: fixtures for the suites, under names that no installed package can take."""
    for path in sorted(FIXTURES.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"auditproof_fixtures_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        config.pluginmanager.register(module, spec.name)
