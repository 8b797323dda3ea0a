"""Collects ``*.audit.yaml`` files: one pytest item per case, with id, marks, line number and failure text."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import content
from auditproof.cases.load import load_case_file
from auditproof.errors import SourceError
from auditproof.plugin.asked import is_case_file
from auditproof.plugin.failures import FailureText, Unproven, Violated, shows_nothing
from auditproof.plugin.session import SESSIONS, session_of
from auditproof.proof.placement import Placement
from auditproof.proof.prover import Proof
from auditproof.proof.verdict import Outcome
from auditproof.report.proof_record import story
from auditproof.text.printable import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditproof.cases.case import Case, CaseFile
    from auditproof.errors import AuditproofError


def collect_file(file_path: Path, parent: pytest.Collector) -> CaseFileCollector | None:
    """Collect ``file_path`` if it is a case file."""
    if is_case_file(file_path, parent):
        return CaseFileCollector.from_parent(parent, path=file_path, nodeid=content.shipped_name(file_path))
    return None


class CaseFileCollector(pytest.File):
    """One case file."""

    cases: CaseFile

    def collect(self) -> Iterator[CaseItem]:
        """Read the file and yield one item per case."""
        self.cases = load_case_file(self.path)
        sessions = self.config.stash.get(SESSIONS, None)
        for version in (sessions and sessions.versions) or ("",):
            yield from self.items(version)

    @property
    def mark(self) -> str:
        """The mark of its items: whether they are judged by the given policy or by one of their own."""
        return "own_policy" if self.cases.policy else "standard"

    @cached_property
    def marker(self) -> pytest.MarkDecorator:
        """That mark; pytest looks it up among the registered ones, which once is enough."""
        marker: pytest.MarkDecorator = getattr(pytest.mark, self.mark)
        return marker

    def items(self, version: str) -> Iterator[CaseItem]:
        """One item per case, for one minor version of a run on several; empty where it has one only."""
        suffix = f"[{version}]" if version else ""
        shared = None  # the fixtures of its cases are the same: as pytest does for a parametrized test
        for case in self.cases.cases:
            name = f"{case.id}{suffix}"
            item = CaseItem.from_parent(
                self, name=name, callobj=_in_setup, fixtureinfo=shared, case=case, kubernetes=version
            )
            shared = item._fixtureinfo
            yield item

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """Show the problems of the file, without a traceback."""
        if isinstance(excinfo.value, SourceError):
            return printable_lines(str(excinfo.value))
        return super().repr_failure(excinfo, *args, **kwargs)


def _in_setup() -> None:
    """What pytest takes for the function of a case, which is performed in its set-up."""


class CaseItem(pytest.Function):
    """One case. Its request is sent in the set-up phase, so that UNPROVEN is an error and VIOLATED a failure."""

    def __init__(self, *, case: Case, kubernetes: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        suite = self.nodeid.partition("::")[0]
        source = replace(case.source, position=replace(case.source.position, path=suite))
        self.kubernetes = kubernetes
        self._written = replace(case, id=self.nodeid, source=source)
        if case.marks:
            self._add_marks(case.marks)
        assert isinstance(self.parent, CaseFileCollector)
        self.add_marker(self.parent.marker)

    def _add_marks(self, marks: tuple[str, ...]) -> None:
        with warnings.catch_warnings():
            # That a case file has it makes a mark known; with --strict-markers one that nobody registered is an error.
            warnings.simplefilter("ignore", pytest.PytestUnknownMarkWarning)
            for mark in marks:
                self.add_marker(mark)

    @property
    def case(self) -> Case:
        """The case, with what it expects of the item's Kubernetes version, as soon as that is known."""
        if SESSIONS not in self.config.stash:
            return self._written
        return self._written.on(session_of(self).options.kubernetes)

    @property
    def case_file(self) -> CaseFile:
        """The file of this case."""
        assert isinstance(self.parent, CaseFileCollector)
        return self.parent.cases

    @property
    def placement(self) -> Placement:
        """The placement of its file."""
        file = self.case_file
        return Placement.of(file.policy, file.sabotage, file.settings, file.broken_settings)

    def setup(self) -> None:
        """Perform and judge the case, together with the other cases of its batch."""
        super().setup()
        if shows_nothing(self.config):
            return
        missing = session_of(self).support.missing(self.case, self.placement)
        if missing:
            pytest.skip(f"not supported: this cluster lacks {', '.join(missing)}")
        verdict = session_of(self).batches.proof(self.case).verdict
        if verdict.outcome is Outcome.UNPROVEN:
            raise Unproven(verdict)

    def runtest(self) -> None:
        """Fail if the verdict is VIOLATED."""
        verdict = session_of(self).batches.proof(self.case).verdict
        if verdict.outcome is Outcome.VIOLATED:
            raise Violated(verdict)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """The verdict alone: ``hooks`` replaces it by the story, and pytest would read source files for it."""
        if isinstance(excinfo.value, Violated):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The line of the case in its file."""
        return self.path, self._written.source.line - 1, self.name

    def story(self, error: AuditproofError) -> FailureText:
        """The failure text of a verdict: first the place and the reason, then the evidence.

        Of several cases that are UNPROVEN for the same reason, only the first has the evidence; the others refer to it.
        """
        session = session_of(self)
        outcome = session.batches.outcomes.get(self.case.id)
        judging = session.place(self.placement).policy
        told = story(outcome, session.policy(judging)) if isinstance(outcome, Proof) else f"UNPROVEN: {error}"
        text = f"{self.case.source.file}:{self.case.source.line}: {self.name}: {told}"
        if not isinstance(error, Violated):
            first = session.batches.first_with(str(error), self.nodeid)
            if first != self.nodeid:  # the reason of a whole batch is explained once
                text = f"{text.partition(chr(10))[0]}\n  same reason as {first}, which has the details"
        return FailureText(text, str(self.path), self.case.source.line)
