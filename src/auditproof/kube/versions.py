"""Kubernetes versions: how one is written, and which one is meant where none is given."""

from __future__ import annotations

import re

DEFAULT_VERSION = "1.37"
KUBERNETES_VERSION = re.compile(r"v?1\.[0-9]+(\.[0-9]+)?")


def minor(version: str) -> str:
    """The minor version: 1.37 for v1.37.2."""
    return ".".join(version.removeprefix("v").split(".")[:2])
