"""Locates suites, fixtures and clusters, in a checkout or in an installed wheel."""

from __future__ import annotations

from pathlib import Path


def is_shipped(file: Path) -> bool:
    """Whether a file is one of the suites that come with auditproof."""
    return file.is_relative_to(root() / "suites")


def root() -> Path:
    """Return the folder that contains ``suites``, ``fixtures`` and ``clusters``."""
    package = Path(__file__).resolve().parent
    installed = package / "content"
    return installed if installed.is_dir() else package.parent.parent
