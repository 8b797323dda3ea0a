"""Witnesses as pytest items: the given policy is collected as if it were a file of cases, made from its own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.case import Case, CaseFile
from auditproof.errors import Position
from auditproof.expect import Expectation
from auditproof.plugin.collect import CaseFileCollector, CaseItem
from auditproof.plugin.proving import SESSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from auditproof.coverage import PlannedWitness
    from auditproof.policy import Policy


def collect_witnesses(session: pytest.Session) -> list[pytest.Item]:
    """The items that the run's coverage asks for; reported as collected, like those of any other file."""
    proving = session.config.stash[SESSION]
    if proving.coverage is None:
        return []
    policy = proving.options.policy
    collector = WitnessCollector.from_parent(session, path=proving.options.policy_file, nodeid=policy.path)
    report = collector.ihook.pytest_make_collect_report(collector=collector)
    collector.ihook.pytest_collectreport(report=report)
    return [item for item in report.result or () if isinstance(item, CaseItem)]


class WitnessCollector(CaseFileCollector):
    """The given policy."""

    mark = "witness"

    def collect(self) -> Iterator[CaseItem]:
        """Make an item of every witness."""
        proving = self.config.stash[SESSION]
        assert proving.coverage is not None
        policy = proving.options.policy
        cases = tuple(_case(policy, planned) for planned in proving.coverage.planned)
        self.cases = CaseFile(self.path, "Witnesses", policy=None, sabotage=None, given=(), cases=cases)
        yield from self.items()


def _case(policy: Policy, planned: PlannedWitness) -> Case:
    """A case without an expectation of its own: what the policy decides is what must be recorded."""
    sent = planned.performable
    return Case(
        id=planned.id,
        title=planned.title,
        identity=sent.identity,
        request=sent.request,
        expectation=Expectation(),
        claim=None,
        because="",
        given=(),
        needs=sent.identity.needs,
        marks=(),
        position=planned.rule.position if planned.rule else Position(policy.path, 1, 1),
    )
