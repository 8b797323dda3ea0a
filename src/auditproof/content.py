"""Locates suites, fixtures, clusters and documents, in a checkout or in an installed wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

SITE = "https://auditproof.dev"  # the documentation


@cache
def shipped_name(file: Path) -> str | None:
    """The name of a file of the suites that come with auditproof, as in suites/stages/watch.audit.yaml; else None."""
    return file.relative_to(root()).as_posix() if file.is_relative_to(root() / "suites") else None


@cache
def root() -> Path:
    """Return the folder that contains ``suites``, ``fixtures``, ``clusters`` and ``docs``."""
    package = Path(__file__).resolve().parent
    installed = package / "content"
    return installed if installed.is_dir() else package.parent.parent
