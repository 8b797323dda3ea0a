"""How verdicts other than PROVEN appear in pytest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.errors import AuditproofError
from auditproof.text.printable import printable_lines

if TYPE_CHECKING:
    from auditproof.proof.verdict import Verdict

NOT_RUN = "[NOTRUN] "  # how pytest begins the reason of xfail(run=False)


class Violated(AuditproofError, AssertionError):
    """The log differs from the expectation: a failed test. ``story`` is the verdict with all of its evidence."""

    def __init__(self, verdict: Verdict, story: str = "") -> None:
        self.verdict, self.story = verdict, story
        super().__init__("; ".join(verdict.reasons))


class Unproven(AuditproofError):
    """Nothing could be shown: an error, never a pass. ``story`` is the verdict with all of its evidence."""

    def __init__(self, verdict: Verdict, story: str = "") -> None:
        self.verdict, self.story = verdict, story
        super().__init__("UNPROVEN: " + "; ".join(verdict.reasons))


@dataclass(frozen=True, slots=True)
class Crash:
    """The place and message of a failure, for pytest's short summary and JUnit."""

    path: str
    lineno: int
    message: str


class FailureText:
    """A failure text in place of pytest's own representation (report.longrepr)."""

    def __init__(self, text: str, path: str, line: int) -> None:
        self.text = printable_lines(text)
        self.reprcrash = Crash(path, line, self.text.partition("\n")[0])

    def __str__(self) -> str:
        return self.text

    def toterminal(self, tw: Any) -> None:
        """Write the text."""
        for line in self.text.splitlines():  # line by line: else line breaks are escaped for a limited terminal
            tw.line(line)


def shows_nothing(config: pytest.Config) -> str:
    """The option that keeps pytest from performing any test; empty if there is none."""
    options = {"collectonly": "--collect-only", "setupplan": "--setup-plan", "setuponly": "--setup-only"}
    return next((flag for name, flag in options.items() if getattr(config.option, name, False)), "")


def is_left_out(error: BaseException) -> bool:
    """Whether a test was left out on purpose: skipped, or marked as not to be run."""
    not_run = isinstance(error, pytest.xfail.Exception) and str(error.msg).startswith(NOT_RUN)
    return not_run or isinstance(error, pytest.skip.Exception)
