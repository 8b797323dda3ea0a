"""The description of a policy as its readers meet it: by ear, in the dark, on a phone, printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import axe_playwright_python
import pytest

from auditproof import content
from auditproof.analysis.describe import describe
from auditproof.audit.policy.load import load_policy
from auditproof.kube.discovery import load_served
from auditproof.report.description import description_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
BASELINE = content.root() / "fixtures" / "policies" / "baseline.yaml"


@pytest.fixture
def address(tmp_path: Path) -> str:
    page = description_page(
        describe(load_policy(BASELINE), load_served("1.37")), "Policy: prod.yaml, SHA-256 " + 64 * "a"
    )
    (tmp_path / "page.html").write_text(page)
    return f"file://{tmp_path}/page.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_accessible_and_as_wide_as_its_window(
    browser: Browser, address: str, scheme: str, width: int
) -> None:
    context = browser.new_context(bypass_csp=True, viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address)
    page.add_script_tag(path=AXE)

    found = page.evaluate("axe.run('main')")

    assert {rule["id"]: [node["html"][:150] for node in rule["nodes"][:3]] for rule in found["violations"]} == {}
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_baseline_policy_is_printed_on_two_pages_at_most(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)

    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) <= 2
