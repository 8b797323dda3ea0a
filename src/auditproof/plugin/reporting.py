"""The reporting side of a run: gathers every proof in the controller, writes the report files, tells the counts."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.plugin.options import FORMATS, REPORT_FILES
from auditproof.plugin.outcomes import PIPE_RECORD, RECORDS
from auditproof.plugin.parts import report_parts
from auditproof.plugin.progress import Progress
from auditproof.provenance import policy_state, run_record
from auditproof.redact import redact_command
from auditproof.report import ci
from auditproof.report.backends import backend_troubles, backends_line, backends_record
from auditproof.report.counting import counting_lines, miscounted
from auditproof.report.covering import unmet_requirements
from auditproof.report.html import (
    EVIDENCE_FILE,
    evidence_document,
    evidence_is_apart,
    into_page,
    ticket_document,
)
from auditproof.report.results import conformance_report, replace_file, write_results

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from auditproof.clusters.profile import Profile
    from auditproof.plugin.proving import AuditSession


TOLD_AT_ONCE, TOLD_AT_THE_END = 5, 12  # so that a screen holds them


def prepare_folder(folder: Path) -> None:
    """Make the report folder and remove an earlier run's files: they must not pass for this one's.

    Raises pytest.UsageError where nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in REPORT_FILES:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        text = f"--audit-report: no report can be written to {folder}: {error.strerror}"
        raise pytest.UsageError(text) from None


class Reporting:
    """Gathers the records of all tests of a run; lives in the controller only."""

    def __init__(self, session: AuditSession, command: Sequence[str], say: Callable[[str], None]) -> None:
        self._session = session
        self._options = session.options
        self._command = command
        self._say = say
        self._told = 0
        self._records: dict[str, dict[str, Any]] = {}
        self._planned: set[str] = set()
        self._pipes: dict[str, dict[str, Any]] = {}
        self._planned_pipes: set[str] = set()
        self._verdicts: Counter[str] = Counter()
        self._progress: Progress | None = None
        self._kubernetes = session.options.kubernetes
        self._not_running = ""
        self._started = datetime.now(UTC)

    def plan(self, ids: Iterable[str]) -> None:
        """Note which proofs the run is to perform."""
        self._planned.update(ids)

    def plan_pipes(self, ids: Iterable[str]) -> None:
        """Note which tests of backends the run is to perform."""
        self._planned_pipes.update(ids)

    @property
    def _has_something(self) -> bool:
        return bool(self._planned | self._records.keys() | self._planned_pipes | self._pipes.keys())

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the proofs that a test report carries."""
        for record in getattr(report, RECORDS, ()):
            self._records[record["id"]] = record
            self._verdicts[record["verdict"]] += 1
            self._planned.discard(record["id"].partition("#")[0])  # a Python test is planned as one, and proves several
            self._kubernetes = record.pop("kubernetes") or self._kubernetes
            self._not_running = record.pop("notRunning", "") or self._not_running
            self._tell(record)
        if pipe := getattr(report, PIPE_RECORD, None):
            self._pipes[pipe["id"]] = pipe
            self._kubernetes = pipe.pop("kubernetes") or self._kubernetes

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Tell how far the run is while it is under way."""
        self._progress = Progress(session.config, self._so_far)
        try:
            return (yield)
        finally:
            self._stop_progress()

    def _stop_progress(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    @pytest.hookimpl
    def pytest_enter_pdb(self) -> None:
        """Leave the terminal to a debugger."""
        self._stop_progress()

    def _so_far(self, seconds: float) -> str:
        """The counts by now, in a line; what was performed last is judged only when its batch is fenced.

        Nothing before it is known what there is to prove: workers collect by themselves.
        """
        performed = self._session.performed()
        planned = max(performed, len(self._planned) + len(self._records))
        verdicts = {_COUNTS[key]: self._verdicts[name] for key, name in _VERDICTS.items()}
        judged = ", ".join(f"{count} {text}" for text, count in verdicts.items() if count or text == "proven")
        return f"auditproof: {performed} of {planned} actions performed, {judged}, {seconds:.0f} s" if planned else ""

    def _tell(self, record: dict[str, Any]) -> None:
        """Say at once that an action is not proven, of the first few: the run may still take long."""
        if record["verdict"] in ("VIOLATED", "UNPROVEN") and self._told < TOLD_AT_ONCE:
            self._told += 1
            self._say(f"{record['verdict']} {record['id']}: {record['reasons'][0] if record['reasons'] else ''}")
            if self._told == TOLD_AT_ONCE:
                self._say("auditproof: further ones are told at the end")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what is for machines, whatever the run came to.

        No run passes on which a requirement does not hold, or an API server counted what is not in its log.
        """
        if not self._has_something:
            return
        failed = unmet_requirements(self.document) or miscounted(self.document)
        if session.exitstatus == pytest.ExitCode.OK and failed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._options.report is not None:
            write_results(self._options.report / "results.json", self.document)
            for name in self._options.formats:
                replace_file(self._options.report / FORMATS[name], _FORMATS[name](self.document))
        self._write_step_summary()

    def _write_step_summary(self) -> None:
        """Append to the summary of a step of GitHub Actions; what goes wrong there is told, and changes no verdict."""
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if not summary:
            return
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(ci.step_summary(self.document))
        except OSError as error:
            self._say(f"auditproof: no step summary: {summary} cannot be written: {error.strerror}")

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Put the ticket document on top of pytest-html's file, which is complete by now."""
        page = Path(getattr(config.option, "htmlpath", None) or "")
        if page.is_file() and self._has_something:
            replace_file(page, into_page(page.read_text(encoding="utf-8"), ticket_document(self.document)))
            if evidence_is_apart(self.document):
                replace_file(page.with_name(EVIDENCE_FILE), evidence_document(self.document))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        """Name the report after the policy."""
        report.title = f"auditproof: {self._options.policy.path}"

    @cached_property
    def document(self) -> dict[str, Any]:
        """The ConformanceReport of this run (computed once, at its end)."""
        policy = self._options.policy
        return conformance_report(
            list(self._records.values()),
            policy={
                "path": policy.path,
                "sha256": policy.sha256,
                **policy_state(self._options.policy_file),
                "text": policy.text,
                "ruleLines": [rule.position.line for rule in policy.rules],
                "warnings": [str(warning) for warning in policy.warnings],
            },
            cluster={
                "provider": self._options.profile.provider,
                "kubernetes": self._kubernetes,
                "startSeconds": round(self._session.start_seconds, 2),
                "flags": _flags(self._options.profile),
                **({"notRunning": self._not_running} if self._not_running else {}),
            },
            run=run_record(self._command),
            planned=sorted(self._planned | self._records.keys()),
            started=self._started,
            finished=datetime.now(UTC),
            sabotage=self._options.sabotage,
            parts={**report_parts(self._session), **self._backends()},
        )

    def _backends(self) -> dict[str, Any]:
        if not self._planned_pipes | self._pipes.keys():
            return {}
        return {"backends": backends_record(self._pipes.values(), self._planned_pipes)}

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell the counts, and where the report is."""
        if not self._has_something:
            return
        terminalreporter.section("audit proofs")
        found = ci.troubles(self.document)
        for trouble in found[:TOLD_AT_THE_END]:
            reason = trouble.text.partition("\n")[0]
            terminalreporter.write_line(f"{trouble.verdict} {trouble.path}:{trouble.line}: {trouble.title}: {reason}")
        if len(found) > TOLD_AT_THE_END:
            terminalreporter.write_line(f"... and {len(found) - TOLD_AT_THE_END} more")
        summary = self.document["summary"]
        counts = ", ".join(f"{summary[key]} {text}" for key, text in _COUNTS.items() if summary[key] or key in _ALWAYS)
        seconds = (datetime.now(UTC) - self._started).total_seconds()
        terminalreporter.write_line(f"{self._options.policy.path}: {counts} in {seconds:.0f} s")
        if unmet := unmet_requirements(self.document):
            terminalreporter.write_line(f"requirements that do not hold: {', '.join(unmet)}")
        for test in backend_troubles(self.document):
            terminalreporter.write_line(
                f"{test['verdict']} {test['suite']}:{test['line']}: {test['title']}: {test['reason']}"
            )
        if line := backends_line(self.document):
            terminalreporter.write_line(line)
        for line in counting_lines(self.document):
            terminalreporter.write_line(line)
        if self._options.report is not None:
            terminalreporter.write_line(f"report: {self._options.report / 'report.html'}")
        if os.environ.get("GITHUB_ACTIONS"):
            for line in ci.workflow_commands(self.document):
                terminalreporter.write_line(line)


def _flags(profile: Profile) -> dict[str, str]:
    """The flags of the API server that a profile sets, without what is secret by its name or its looks."""
    flags = {**{f"audit-log-{key}": value for key, value in profile.audit_log.items()}, **profile.flags}
    shown = redact_command([f"{name}={value}" for name, value in flags.items()])
    return dict(zip(flags, (word.partition("=")[2] for word in shown), strict=True))


_FORMATS = {"sarif": ci.sarif, "code-quality": ci.code_quality}
_COUNTS = {
    "planned": "planned",
    "performed": "performed",
    "proven": "proven",
    "violated": "VIOLATED",
    "unproven": "UNPROVEN",
    "notSupported": "not supported",
}
_VERDICTS = {"proven": "PROVEN", "violated": "VIOLATED", "unproven": "UNPROVEN", "notSupported": "NOT_SUPPORTED"}
_ALWAYS = ("planned", "performed", "proven")
