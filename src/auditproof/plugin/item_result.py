"""What a test report has of auditproof's own, on the way from a worker to the controller: result and failure text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.plugin.failures import Crash, FailureText
from auditproof.report.model import BackendLoad, BackendTest, ProofRecord, Record, plain

if TYPE_CHECKING:
    from collections.abc import Generator

_ATTRIBUTE, _STORY = "auditproof_result", "auditproof_story"


class ItemResult(Record):
    """The result of one phase of an item, and the state of the server.

    ``backend`` is the record of a backend test, ``load`` its rows of the load table. ``kubernetes`` is the version that
    the server reports (empty: none was asked), ``not_running`` why it seems not to run the policy.
    """

    records: tuple[ProofRecord, ...] = ()
    backend: BackendTest | None = None
    load: tuple[BackendLoad, ...] = ()
    kubernetes: str = ""
    not_running: str = ""


def attach(report: pytest.TestReport, result: ItemResult) -> None:
    """Attach a result to a report."""
    setattr(report, _ATTRIBUTE, result)


def result_of(report: object) -> ItemResult | None:
    """The result attached to a report; None if there is none."""
    result = getattr(report, _ATTRIBUTE, None)
    return result if isinstance(result, ItemResult) else None


class ItemResultTransport:
    """Serializes them when xdist sends a report from a worker to the controller.

    pytest itself would send a FailureText as its text alone, and JUnit show all of it as the message of the failure.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(self, report: object) -> Generator[None, dict[str, Any], dict[str, Any]]:
        """Add the result as ASCII JSON: xdist sends only plain values, and no lone surrogates."""
        data = yield
        result, story = result_of(report), getattr(report, "longrepr", None)
        if result is not None:
            data = {**data, _ATTRIBUTE: json.dumps(plain(result), default=str)}
        if isinstance(story, FailureText):
            crash = story.reprcrash
            data = {**data, _STORY: json.dumps([story.text, crash.path, crash.lineno, crash.message])}
        return data

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(self, data: dict[str, Any]) -> Generator[None, object, object]:
        """Restore both."""
        report = yield
        if isinstance(report, pytest.TestReport) and _STORY in data:
            text, path, line, message = json.loads(data[_STORY])
            story = FailureText(text, path, line)
            story.reprcrash = Crash(path, line, message)
            report.longrepr = story  # type: ignore[assignment]  # pytest accepts any TerminalRepr
        if isinstance(report, pytest.TestReport) and _ATTRIBUTE in data:
            attach(report, ItemResult.model_validate(json.loads(data[_ATTRIBUTE])))
        return report
