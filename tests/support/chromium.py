"""A real browser without a window: a Chromium out of the PATH, which asks nobody anything unasked."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NoReturn

import pytest
from playwright.sync_api import Error, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# As root in a container there is no sandbox to be had; the rest keeps the browser from asking anybody anything.
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def chromium() -> Iterator[Browser]:
    """The browser, until the generator is closed; without one, the test is skipped or fails."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        _missing(f"none of {', '.join(NAMES)} is on the PATH (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=SWITCHES)
        except Error as error:
            _missing(f"{found} does not start: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


def _missing(reason: str) -> NoReturn:
    text = f"the report is not looked at: {reason}"
    if os.environ.get("AUDITPROOF_BROWSER") == "required":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)
