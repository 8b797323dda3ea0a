"""The sections of a report besides its proofs: coverage, change, lint, requirements, mutation strength."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.analysis.lint import examine
from auditproof.analysis.mutation import strength
from auditproof.analysis.requirements import entry_data
from auditproof.kube.discovery import load_served
from auditproof.proof.whole_log import accounts, noise
from auditproof.report.background import noise_record
from auditproof.report.change import change_record
from auditproof.report.detections.record import detections_record
from auditproof.report.gate import gate_record
from auditproof.report.model import RequirementEntries, RequirementRecord, Sections
from auditproof.report.policy_sections import lint_record, strength_record
from auditproof.report.reconciliation import counting_record
from auditproof.report.rule_coverage import coverage_record
from auditproof.text.paths import shown_path

if TYPE_CHECKING:
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.plugin.options import Options
    from auditproof.plugin.session import AuditSession
    from auditproof.report.model import BackendsRecord, DetectionsRecord, GateRecord


def report_sections(session: AuditSession, backends: BackendsRecord | None) -> Sections:
    """The sections that the options of this run request."""
    options, plan = session.options, session.plan
    return Sections(
        backends=backends,
        lint=lint_record(examine(options.policy, session.served())),
        log=session.log_part,
        coverage=coverage_record(plan.coverage, options.policy.path) if plan.coverage is not None else None,
        change=change_record(plan.change) if plan.change is not None else None,
        gate=_gate(session),
        detections=_detections(session),
        **(_whole_logs(session.begun, options) if session.begun else {}),
        **(_requirements(session) if plan.required else {}),
    )


def _gate(session: AuditSession) -> GateRecord | None:
    plan, options = session.plan, session.options
    if plan.gate is None or plan.allowed is None or plan.change is None:
        return None
    return gate_record(plan.gate, plan.allowed, plan.change, options.forbid, options.only)


def _detections(session: AuditSession) -> DetectionsRecord | None:
    options, plan = session.options, session.plan
    if options.detections is None:
        return None
    return detections_record(plan.fed, options.detections, plan.tried, forbid_blind=options.forbid_blind)


def _requirements(session: AuditSession) -> dict[str, Any]:
    options = session.options
    records = tuple(
        RequirementRecord.model_validate(record) for required in session.plan.required for record in required.records()
    )
    if options.recorded:  # an offline log has a proof of each requirement that any event is about
        found = session.recorded_ids
        records = tuple(
            one.model_copy(update={"proofs": (found[one.id],) if one.id in found else ()}) for one in records
        )
    every = [requirement for file in options.requirements for requirement in file.requirements]
    found_by = strength(options.policy, every, (), load_served(options.kubernetes))
    status = session.plan.status
    if status is None:
        entries = RequirementEntries()
    else:
        kinds = {"unneeded": status.unneeded, "expired": status.expired, "unchecked": status.unchecked}
        data = {name: [entry_data(entry) for entry in entries] for name, entries in kinds.items()}
        entries = RequirementEntries.model_validate(data)
    return {
        "requirements": records,
        "requirement_entries": entries,
        "fail_on": str(options.fail_on),
        "strength": strength_record(found_by),
    }


def _whole_logs(run: RunDirectory, options: Options) -> dict[str, Any]:
    counted = [(shown_path(policy, options.folders), account) for policy, account in accounts(run, options)]
    at_rest = noise(run, options)
    return {
        "counting": counting_record(counted),
        "noise": noise_record(at_rest, options.policy) if at_rest is not None else None,
    }
