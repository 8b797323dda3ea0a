"""Collects the cases generated from policies and requirements, like the cases of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.cases.case import CaseFile
from auditproof.plugin.collect import CaseFileCollector, CaseItem
from auditproof.plugin.session import SESSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from auditproof.proof.plan import MadeCases


def collect_made(session: pytest.Session) -> list[pytest.Item]:
    """The items for coverage, base and requirements; reported as collected, like those of any other file."""
    sessions = session.config.stash[SESSIONS]
    return [
        item
        for version in sessions.versions or ("",)
        for made in sessions.of_version(version).plan.made()
        for item in _collect(session, made, version)
    ]


def _collect(session: pytest.Session, made: MadeCases, version: str) -> list[pytest.Item]:
    if not made.cases:
        return []
    collector = MadeCollector.from_parent(session, path=made.file, nodeid=made.suite, made=made, version=version)
    report = collector.ihook.pytest_make_collect_report(collector=collector)
    collector.ihook.pytest_collectreport(report=report)
    return [item for item in report.result or () if isinstance(item, CaseItem)]


class MadeCollector(CaseFileCollector):
    """A policy, or a requirements file, with the cases generated from it."""

    mark = ""

    def __init__(self, *, made: MadeCases, version: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._version = version
        self.cases = CaseFile(made.file, "", policy=made.placement.policy, sabotage=None, given=(), cases=made.cases)
        self.mark = made.mark

    def collect(self) -> Iterator[CaseItem]:
        """Yield one item per case."""
        yield from self.items(self._version)
