"""The message by which a test report carries what an item has shown from a worker to the controller."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.report.model import BackendLoad, BackendTest, ProofRecord, Record, plain

if TYPE_CHECKING:
    from collections.abc import Generator

_ATTRIBUTE = "auditproof_result"


class ItemResult(Record):
    """What one phase of an item has shown, and what its process knows about the server.

    ``backend`` is the record of a test of backends, with its rows of the table of loads. ``kubernetes`` is the version
    that the server reports (empty: none was asked), ``not_running`` why it seems not to run the policy.
    """

    records: tuple[ProofRecord, ...] = ()
    backend: BackendTest | None = None
    load: tuple[BackendLoad, ...] = ()
    kubernetes: str = ""
    not_running: str = ""


def attach(report: pytest.TestReport, result: ItemResult) -> None:
    """Let a report carry a result."""
    setattr(report, _ATTRIBUTE, result)


def result_of(report: object) -> ItemResult | None:
    """The result that a report carries; None where it carries none."""
    result = getattr(report, _ATTRIBUTE, None)
    return result if isinstance(result, ItemResult) else None


class ItemResultTransport:
    """Turns the result of a report into text and back where a report goes from process to process."""

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(self, report: object) -> Generator[None, dict[str, Any], dict[str, Any]]:
        """ASCII text, because only plain values can be sent, and no half of a surrogate pair."""
        data = yield
        result = result_of(report)
        return data if result is None else {**data, _ATTRIBUTE: json.dumps(plain(result), default=str)}

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(self, data: dict[str, Any]) -> Generator[None, object, object]:
        """The result again."""
        report = yield
        if isinstance(report, pytest.TestReport) and _ATTRIBUTE in data:
            attach(report, ItemResult.model_validate(json.loads(data[_ATTRIBUTE])))
        return report
