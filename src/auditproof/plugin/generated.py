"""Requests made out of policies and requirements as pytest items: these are collected as if they were files of cases.

The given policy has the witnesses of its own rules, and the requests that it records differently from the base; the
base has these, too, judged by itself. A requirements file has a request of each class that it is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.cases.case import CaseFile
from auditproof.errors import Position
from auditproof.plugin.collect import CaseFileCollector, CaseItem
from auditproof.plugin.proving import SESSION
from auditproof.proof.made_case import case_of
from auditproof.report.change import proof_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.analysis.space.client_request import Performable
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.cases.case import Case
    from auditproof.plugin.proving import AuditSession

NEW, OLD = 1, 0  # of a pair of deciding rules


def made_prefixes(session: AuditSession) -> tuple[str, ...]:
    """What the ids of these items begin with."""
    options = session.options
    policies = (policy.path for policy in (options.policy, options.base) if policy is not None)
    return tuple(f"{name}::" for name in (*policies, *(required.suite for required in session.required)))


def collect_witnesses(session: pytest.Session) -> list[pytest.Item]:
    """The items that coverage, base and requirements ask for; reported as collected, like those of any other file."""
    proving = session.config.stash[SESSION]
    options, items = proving.options, []
    if proving.change is not None and options.base is not None and options.base_file is not None:
        cases = tuple(_changes(proving.change, options.base, OLD))
        items += _collect(session, options.base.path, options.base_file, cases, "change", own=True)
        cases = tuple(_changes(proving.change, options.policy, NEW))
        items += _collect(session, options.policy.path, options.policy_file, cases, "change")
    items += _collect(session, options.policy.path, options.policy_file, tuple(_witnesses(proving)), "witness")
    for required in proving.required:
        cases = tuple(required.cases())
        items += _collect(session, required.suite, required.file.path.resolve(), cases, "requirement")
    return items


def _collect(
    session: pytest.Session, suite: str, file: Path, cases: tuple[Case, ...], mark: str, *, own: bool = False
) -> list[pytest.Item]:
    if not cases:
        return []
    made = CaseFile(file, "Made out of it", policy=file if own else None, sabotage=None, given=(), cases=cases)
    collector = MadeCollector.from_parent(session, path=file, nodeid=suite, made=made, mark=mark)
    report = collector.ihook.pytest_make_collect_report(collector=collector)
    collector.ihook.pytest_collectreport(report=report)
    return [item for item in report.result or () if isinstance(item, CaseItem)]


class MadeCollector(CaseFileCollector):
    """A policy, or a requirements file, with cases made out of it."""

    mark = ""

    def __init__(self, *, made: CaseFile, mark: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cases = made
        self.mark = mark

    def collect(self) -> Iterator[CaseItem]:
        """Make an item of every case."""
        yield from self.items()


def _witnesses(proving: AuditSession) -> Iterator[Case]:
    policy = proving.options.policy
    for planned in proving.coverage.planned if proving.coverage else ():
        yield _case(policy, planned.id, planned.title, planned.performable, planned.rule)


def _changes(diff: PolicyDiff, policy: Policy, side: int) -> Iterator[Case]:
    for number, difference in enumerate(diff.differences, 1):
        sent = difference.witness.performable
        if sent is not None:
            title = f"{difference.change.kind}: {difference.change.text}: {sent}"
            yield _case(policy, proof_name(number), title, sent, difference.rules[0][side])


def _case(policy: Policy, name: str, title: str, sent: Performable, rule: PolicyRule | None) -> Case:
    """A case without an expectation of its own: what the policy decides is what must be recorded."""
    return case_of(name, sent, title=title, position=rule.position if rule else Position(policy.path, 1, 1))
