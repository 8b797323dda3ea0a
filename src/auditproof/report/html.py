"""The ticket document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def ticket_document(report: Mapping[str, Any]) -> str:
    """The report."""
    return str(report["summary"])
