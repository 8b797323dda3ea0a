"""Hooks of the documentation site (mkdocs.yml): its addresses, and links from documents into the repository."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).parents[1]
URLS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
_ABOVE = re.compile(r"\]\(\.\./([^)#\s]*)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the addresses from the package's metadata."""
    config.site_url = f"{URLS['Documentation']}/"
    # as a link: with repo_url, each page would ask GitHub for the number of stars
    config.extra["social"] = [{"icon": "fontawesome/brands/github", "link": URLS["Source"], "name": "Source"}]
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links to files outside of docs/ to the repository."""
    return _ABOVE.sub(lambda link: f"]({repository_address(link[1])}", markdown)


def repository_address(path: str) -> str:
    """Where the repository's site shows a file or folder, named from the root of the repository."""
    kind = "tree" if (ROOT / path).is_dir() else "blob"
    return f"{URLS['Source']}/{kind}/main/{path}"
