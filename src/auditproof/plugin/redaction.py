"""Removes secrets from pytest's own reports: failures, captured output, variables of the CI system.

auditproof's records are redacted when they are made. But a Python test can print anything about its actions, and its
output gets into the HTML page and the JUnit file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.redact import redact_failure, redact_text, removed_texts
from auditproof.plugin.failures import Crash, FailureText
from auditproof.text.printable import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.audit.event import AuditEvent

REMOVED: pytest.StashKey[frozenset[str]] = pytest.StashKey()


def note_secrets(item: pytest.Item, texts: Iterable[str]) -> None:
    """Remember texts that must not appear in the reports of this test."""
    item.stash[REMOVED] = item.stash.get(REMOVED, frozenset()) | frozenset(texts)


def note_events(item: pytest.Item, events: Iterable[AuditEvent]) -> None:
    """Remember the secrets in events that this test can see."""
    for event in events:
        note_secrets(item, removed_texts(event.raw))


def hide_secrets(item: pytest.Item, report: pytest.TestReport) -> None:
    """Remove secrets and control characters from the failure and the captured output.

    A failure without any keeps pytest's own representation.
    """
    removed = item.stash.get(REMOVED, frozenset())
    report.sections = [(name, printable_lines(redact_failure(text, removed))) for name, text in report.sections]
    if not report.failed:
        return
    shown = report.longreprtext
    hidden = printable_lines(redact_failure(shown, removed))
    if hidden != shown:
        path, line, _ = item.reportinfo()
        report.longrepr = _Hidden(hidden, str(path), (line or 0) + 1)  # type: ignore[assignment]  # pytest accepts any TerminalRepr


class _Hidden(FailureText):
    """pytest's failure text without its secrets; its summary is the first line after an E, or the last line."""

    def __init__(self, text: str, path: str, line: int) -> None:
        super().__init__(text, path, line)
        lines = text.strip().splitlines()
        said = next((row.removeprefix("E").strip() for row in lines if row.startswith("E ")), lines[-1])
        self.reprcrash = Crash(path, line, said)


def hide_variables(metadata: dict[str, Any]) -> None:
    """Remove secrets from the environment table: for example, the URL of a repository may contain a token."""
    for name, value in metadata.items():
        if isinstance(value, str):
            metadata[name] = redact_text(value)
