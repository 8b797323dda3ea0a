"""The description of a policy as its readers meet it: by ear, in the dark, on a phone, printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from auditproof import content
from auditproof.analysis.describe import describe
from auditproof.audit.policy.load import load_policy
from auditproof.kube.discovery import load_served
from auditproof.report.description import description_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

BASELINE = content.root() / "fixtures" / "policies" / "baseline.yaml"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    page = description_page(
        describe(load_policy(BASELINE), load_served("1.37")), "Policy: prod.yaml, SHA-256 " + 64 * "a"
    )
    file = tmp_path_factory.mktemp("description") / "page.html"
    file.write_text(page)
    return file.as_uri()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_accessible_and_as_wide_as_its_window(
    page: Page, address: str, violations: Callable[[Page], dict[str, dict[str, list[str]]]], width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == {"light": {}, "dark": {}}


def test_the_baseline_policy_is_printed_on_two_pages_at_most(page: Page, address: str) -> None:
    page.goto(address)

    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) <= 2
