"""The styles of the pages: what is different in the dark."""

from __future__ import annotations

import re

import pytest

from tests.support.pages import ROOT

STYLES = sorted((ROOT / "src" / "auditproof" / "report").rglob("*.css"))
DARK = re.compile(r"@media \(prefers-color-scheme: dark\) \{\s*:root \{([^{}]*)\}\s*\}")


@pytest.mark.parametrize("name", ["base.css", "page.css"])
def test_only_colours_are_different_in_the_dark(name: str) -> None:
    """So what is shown of a page in light, but for its colours, need not be shown again in the dark."""
    (file,) = [file for file in STYLES if file.name == name]
    (dark,) = DARK.findall(file.read_text(encoding="utf-8"))

    declarations = [one.strip() for one in dark.split(";") if one.strip()]

    assert [one for one in declarations if not re.fullmatch(r"--[a-z-]+: #[0-9a-f]{3,6}", one)] == []
    assert len(declarations) >= 5


def test_no_other_style_asks_for_the_dark() -> None:
    asking = [file.name for file in STYLES if "color-scheme: dark" in DARK.sub("", file.read_text(encoding="utf-8"))]

    assert asking == []
    assert len(STYLES) > 2
