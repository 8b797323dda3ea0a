"""For all tests: how long properties are tried, and which tests share a process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.sharing import Sharing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from xdist.remote import Producer

# CI tries the same examples each time, so that a change fails by what it changes alone; "long" draws others, and many.
settings.register_profile("ci", deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
settings.register_profile("long", settings.get_profile("ci"), derandomize=False, max_examples=2500)
settings.load_profile("ci")
# pytest in processes that tests start: the plugins of hypothesis and anyio take as long to import as all the rest.
os.environ["PYTEST_ADDOPTS"] = "-p no:hypothesispytest -p no:anyio"
# Whatever this machine has an attestation of, each run performs what it is asked for.
os.environ["AUDITPROOF_REFERENCE"] = "always"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    return Sharing(config, log)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real browser, one for all tests of a process: two at once would share its event loop, which cannot be.

    Without one the test is skipped and says why, or fails where AUDITPROOF_BROWSER=required (in CI).
    """
    from tests.support.chromium import chromium  # it imports a lot, for few tests

    yield from chromium()
