"""What a policy does to detection rules, as text, JSON, Markdown, SARIF and a layer of the ATT&CK Navigator. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.report.detections.fed_rules import FedRules, Worse
from auditproof.report.detections.json_text import as_json
from auditproof.report.detections.markdown import as_markdown
from auditproof.report.detections.navigator import as_navigator
from auditproof.report.detections.sarif import as_sarif
from auditproof.report.detections.text import as_text

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS: dict[str, Callable[[FedRules], str]] = {
    "text": as_text,
    "json": as_json,
    "markdown": as_markdown,
    "navigator": as_navigator,
}

__all__ = ["FORMATS", "FedRules", "Worse", "as_sarif", "as_text"]
