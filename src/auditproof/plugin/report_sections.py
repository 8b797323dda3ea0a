"""What a report says about the given policy beside its proofs: coverage, change, lint, requirements, strength."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.analysis.lint import examine
from auditproof.analysis.mutation import strength
from auditproof.kube.discovery import load_served
from auditproof.plugin.options import shown_path
from auditproof.plugin.wholelog import accounts, noise
from auditproof.report.background import noise_record
from auditproof.report.change import change_record
from auditproof.report.linting import lint_record
from auditproof.report.reconciliation import counting_record
from auditproof.report.rule_coverage import coverage_record
from auditproof.report.strength import strength_record

if TYPE_CHECKING:
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.plugin.options import Options
    from auditproof.plugin.proving import AuditSession


def report_parts(session: AuditSession) -> dict[str, Any]:
    """The parts of results.json that are there only where a run was asked for them (see results.schema.json)."""
    options = session.options
    parts: dict[str, Any] = {"lint": lint_record(examine(options.policy, session.served()))}
    if session.begun:
        parts |= _of_whole_logs(session.begun, options)
    if session.log_part:
        parts["log"] = session.log_part
    if session.coverage is not None:
        parts["coverage"] = coverage_record(session.coverage, options.policy.path)
    if session.change is not None:
        parts["change"] = change_record(session.change)
    if session.required:
        parts["requirements"] = [record for required in session.required for record in required.records()]
        for record in parts["requirements"] if options.recorded else ():
            found = session.recorded_ids.get(record["id"])
            record["proofs"] = [found] if found else []
        every = [requirement for required in session.required for requirement in required.file.requirements]
        parts["strength"] = strength_record(strength(options.policy, every, (), load_served(options.kubernetes)))
    return parts


def _of_whole_logs(run: RunDirectory, options: Options) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    counted = [(shown_path(policy, options.folders), account) for policy, account in accounts(run, options)]
    if counted:
        parts["counting"] = counting_record(counted)
    at_rest = noise(run, options)
    if at_rest is not None:
        parts["noise"] = noise_record(at_rest, options.policy)
    return parts
