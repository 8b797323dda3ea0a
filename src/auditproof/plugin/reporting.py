"""Reporting: gathers every proof in the controller, writes the report files, prints the counts."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.redact import redact_command, redact_text
from auditproof.plugin.attesting import attested, reference_records
from auditproof.plugin.course import make_it_fail
from auditproof.plugin.ending import Ending
from auditproof.plugin.fitting import in_full, on_a_screen
from auditproof.plugin.folding import folded
from auditproof.plugin.gathering import Gathered, first_line
from auditproof.plugin.progress import Progress
from auditproof.plugin.report_files import ReportFiles
from auditproof.plugin.report_sections import report_sections
from auditproof.plugin.screen import Unbroken
from auditproof.proof.verdict import Outcome
from auditproof.report.backends import backends_record
from auditproof.report.ci.github import workflow_commands
from auditproof.report.ci.troubles import troubles
from auditproof.report.document import conformance_report
from auditproof.report.headline import COUNTS, ShownAmount, run_outcome
from auditproof.report.model import ClusterRecord, PolicyRecord, Sections
from auditproof.report.policy_lines import place_of
from auditproof.report.provenance import policy_state, run_record
from auditproof.report.statements import decision
from auditproof.report.terminal import closing_lines, decision_lines
from auditproof.report.versions import merged, version_in
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from auditproof.clusters.profile import Profile
    from auditproof.plugin.planning import Plan
    from auditproof.plugin.session import AuditSession, Sessions
    from auditproof.report.model import Report


TOLD_AT_ONCE = 5
UNDER_WAY = "is under way, or was killed"
JUDGED = ("proven", "violated", "unproven", "not_supported")


class Reporting:
    """Gathers the records of all tests of a run; lives in the controller only."""

    def __init__(
        self,
        sessions: Sessions,
        command: Sequence[str],
        say: Callable[[str], None],
        *,
        paths: Sequence[str] = (),
        tests: bool = False,
    ) -> None:
        """``paths`` are what is collected; ``tests``: pytest-html writes its page to the report folder."""
        self._paths = paths
        self._sessions = sessions
        self._options = sessions.first.options
        self._command = command
        self._say = say
        self._told: list[str] = []  # the reasons of the problems that were printed at once
        asked = dict(zip(sessions.versions or ("",), (one.options.kubernetes for one in sessions), strict=True))
        self._gathered = Gathered(self._options.policy, self._options.folders[1:], asked)
        self._sections: dict[AuditSession, Sections] = {}
        self._files = ReportFiles(self._options, say, tests=tests)
        self._ending = Ending()
        self._ending.install()
        self._progress: Progress | None = None
        self._pytest: pytest.Session | None = None
        self._ended = ""
        self._word_left = self._closed = False
        self._current: AuditSession | None = None  # whose item was performed last, in a run on several versions
        self._performed = 0  # by sessions that are concluded
        self._started, self._begun = datetime.now(UTC), time.monotonic()

    def plan(self, plan: Plan) -> None:
        """Note the plan of this process or of a worker."""
        self._gathered.plan(plan)
        if plan.worker:
            self._ending.workers[plan.worker] = plan.process
        if self._progress is not None:
            self._leave_word()  # workers collect while the run is under way

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Forget a worker that has exited: its process id may be reused by now."""
        self._ending.workers.pop(node.gateway.id, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the proofs that are attached to a test report."""
        records, worse = self._gathered.take(report)
        for record in worse:
            # Print the first few problems at once, because the run may still take long.
            reason = redact_text(record.reasons[0] if record.reasons else "")
            # What keeps several cases from being performed is told with the first of them.
            unlike = bool(record.audit_id) or reason not in self._told
            if record.verdict.is_trouble and unlike and len(self._told) < TOLD_AT_ONCE:
                self._told.append(reason)
                self._say(printable(f"{record.verdict} {record.id}: {reason}"))
                if len(self._told) == TOLD_AT_ONCE:
                    self._say("auditproof: more problems are listed at the end")
        path, line, name = report.location
        make_it_fail(report, records, name, path, (line or 0) + 1)

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note files that could not be collected, or were skipped as a whole."""
        self._gathered.take_collector(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the run going if the reader of its output goes away (``| head``)."""
        Unbroken.stand_in_for(session.config.pluginmanager.get_plugin("terminalreporter"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Show progress while the tests run."""
        self._leave_word()
        self._progress = Progress(session.config, self._so_far)
        try:
            return (yield)
        finally:
            self._stop_progress()

    def _leave_word(self) -> None:
        if self._options.report is not None and self._gathered and not self._word_left:
            self._word_left = True
            self._files.leave_word(self._document(UNDER_WAY, Sections()))

    @pytest.hookimpl
    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note that pytest itself, or a plugin, has failed."""
        self._ended = f"crashed: {first_line(excinfo.exconly())}"

    @pytest.hookimpl
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note that the run was interrupted, or was ended with a reason (``pytest.exit``)."""
        reason = str(excinfo.value)
        self._ended = self._ending.text or (f"was ended: {first_line(reason)}" if reason else "was interrupted")

    def _stop_progress(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    @pytest.hookimpl
    def pytest_enter_pdb(self) -> None:
        """Leave the terminal to a debugger."""
        self._stop_progress()

    def _so_far(self, seconds: float) -> str:
        """The counts so far, in one line; the latest actions are judged only when their batch is fenced.

        Empty until the first plan is known: workers collect by themselves.
        """
        performed = self._performed + sum(one.performed() for one in self._sessions if not one.concluded)
        planned = max(performed, self._gathered.planned_count)
        verdicts = {key: self._gathered.verdicts[Outcome[key.upper()]] for key in JUDGED}
        judged = ", ".join(f"{count} {COUNTS[key]}" for key, count in verdicts.items() if count or key == "proven")
        return f"auditproof: {performed} of {planned} actions performed, {judged}, {seconds:.0f} s" if planned else ""

    def make_room_for(self, session: AuditSession, close: Callable[[], None]) -> bool:
        """Stop the servers of every other version whose items are all done; ``close`` ends what else uses them.

        Returns whether the session's own servers are to be started: whether this is its first item.
        """
        begins, self._current = session is not self._current, session
        for version, other in zip(self._sessions.versions, self._sessions, strict=True):
            if begins and other is not session and other.begun and not other.concluded:
                if not self._gathered.is_done(version):
                    continue
                close()
                self._sections[other] = report_sections(other, None)
                self._performed += other.performed()
                other.concluded = True
                other.close()
                if left := other.end():
                    self._say(left)
        return begins

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write the report first, whatever the result, and let pytest end accordingly."""
        self._ending.hold()
        self._pytest = session
        if self._has_report():
            if not self._ended and self._gathered.unheard_of:
                stopped = session.shouldfail or session.shouldstop
                self._ended = f"was stopped: {stopped}" if stopped else ""
            self._settle()
            self._files.write(self.document)
            self._settle()
        try:
            return (yield)
        except (OSError, UnicodeError) as error:
            self._files.not_written(error)
            return None

    def _has_report(self) -> bool:
        """Whether there is anything to report: actions, or that the run was interrupted before it had any."""
        return bool(self._gathered or (self._ended and self._options.report is not None))

    def _settle(self) -> None:
        """Set the exit code: a run passes only if its report says that everything is PROVEN."""
        session = self._pytest
        if session is None:
            return
        if self._gathered and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = _EXIT_CODES[run_outcome(self.document)]
        if self._files.lost and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.exitstatus = self._ending.exit_code or session.exitstatus

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Finish the files that pytest has written by now, and print the counts if there was no summary."""
        if self._has_report():
            self._files.finish(config, self.document)
            if not self._closed:
                self._say("\n".join([*self._decision_lines(), *self._closing()]))
        self._settle()  # again, because any plugin may have set it
        self._ending.restore()

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        """Name the page of pytest-html (``--html``) after the policy."""
        report.title = printable(f"auditproof: {self._options.policy.path}")  # the path may not be valid Unicode

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Put the verdict above the tests on the page of pytest-html (``--html``)."""
        if self._gathered and self._pytest is not None:
            decided = decision(self.document)
            text = printable(f"{decided.word}: {decided.sentence}")
            prefix.append(f"<p><strong>{escape(text)}</strong></p>")

    @cached_property
    def document(self) -> Report:
        """The ConformanceReport of this run (computed once, at its end)."""
        self._gathered.conclude()
        parts = [self._sections.get(one) or report_sections(one, None) for one in self._sessions]
        gathered = self._gathered
        if not (gathered.backend_tests or gathered.planned_backend_tests):
            backends = None
        else:
            load = (row for rows in gathered.loads.values() for row in rows)
            backends = backends_record(gathered.backend_tests.values(), load, gathered.planned_backend_tests)
        reference = reference_records(self._sessions, gathered)
        sections = merged(self._sessions.versions, parts).model_copy(
            update={"backends": backends, "reference": reference}
        )
        return attested(self._document(self._ended, sections), self._sessions, gathered)

    @cached_property
    def _policy_state(self) -> dict[str, Any]:
        """The state of the policy file, read at the beginning: it may have changed by the end."""
        source = self._options.policy_source
        return policy_state(source.file, source.ref) if source else policy_state(self._options.policy_file)

    def _document(self, ended: str, sections: Sections) -> Report:
        policy, gathered = self._options.policy, self._gathered
        warnings = dict.fromkeys(str(text) for one in self._sessions for text in one.options.policy.warnings)
        proofs = list(gathered.records.values())
        if self._sessions.versions:
            proofs = [
                proof.model_copy(update={"kubernetes": version_in(proof.id, gathered.kubernetes)}) for proof in proofs
            ]
        return conformance_report(
            proofs,
            policy=PolicyRecord(
                path=policy.path,
                sha256=policy.sha256,
                **place_of(policy.place),
                **self._policy_state,
                text=policy.text,
                rule_lines=tuple(rule.position.line for rule in policy.rules),
                warnings=tuple(warnings),
            ),
            cluster=ClusterRecord(
                provider="none: recorded events" if self._options.recorded else self._options.profile.provider,
                kubernetes=", ".join(gathered.kubernetes.values()),
                start_seconds=round(sum(one.start_seconds for one in self._sessions), 2),
                flags=_flags(self._options.profile),
                not_running=gathered.not_running,
            ),
            versions={name: gathered.kubernetes[name] for name in self._sessions.versions},
            run=run_record(self._command, paths=self._paths),
            ticket=self._options.ticket,
            planned=gathered.planned,
            deselected=gathered.deselected,
            started=self._started,
            finished=datetime.now(UTC),
            sabotage=self._options.sabotage,
            sections=sections,
            ended=ended,
        )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, object, object]:
        """Print the counts and the path of the report below pytest's own summary."""
        with folded(terminalreporter):
            result = yield
        if self._gathered:
            terminalreporter.section("audit proofs")
            width = _width(terminalreporter)
            for line in (*in_full(self._decision_lines(), width), *on_a_screen(self._closing(), width)):
                terminalreporter.write_line(line)
            for trouble in troubles(self.document):  # pytest counts its tests below: not they alone decide
                if trouble.verdict not in list(Outcome):
                    terminalreporter.stats.setdefault(trouble.verdict.lower(), []).append(trouble)
        return result

    def _decision_lines(self) -> list[str]:
        return [*map(printable, decision_lines(self.document))]

    def _closing(self) -> list[str]:
        self._closed = True
        lines = closing_lines(self.document, time.monotonic() - self._begun)
        lines += [f"report: {self._options.report / 'report.html'}"] if self._options.report else []
        if os.environ.get("GITHUB_ACTIONS"):
            return [*map(printable, lines), *workflow_commands(self.document, self._files.file_in_repository)]
        return [*map(printable, lines)]


def _width(reporter: pytest.TerminalReporter) -> int:
    """The width of the terminal; 0 if the output is none."""
    # isatty is a truth value in every pytest, and from 9 on callable, too
    return reporter.config.get_terminal_writer().fullwidth if reporter.isatty else 0


def _flags(profile: Profile) -> dict[str, str]:
    """The API server's flags in a profile, without values that are secret by their name or form."""
    flags = {**{f"audit-log-{key}": value for key, value in profile.audit_log.items()}, **profile.flags}
    shown = redact_command([f"{name}={value}" for name, value in flags.items()])
    return dict(zip(flags, (word.partition("=")[2] for word in shown), strict=True))


_EXIT_CODES = {
    ShownAmount.ALL: pytest.ExitCode.OK,
    ShownAmount.NOTHING: pytest.ExitCode.NO_TESTS_COLLECTED,
    ShownAmount.NOT_ALL: pytest.ExitCode.TESTS_FAILED,
}
