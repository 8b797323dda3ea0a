"""What the report says about reference cases, and the attestation that a run makes if it has proven all of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from auditproof.attestation import Attestation, Counted, keep, subject_of
from auditproof.errors import AuditproofError
from auditproof.plugin.reference_choice import ReferenceMode
from auditproof.proof.verdict import Outcome
from auditproof.report.model import ReferenceRecord, ReferenceState
from auditproof.report.versions import version_in, without_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.attestation import Subject
    from auditproof.plugin.gathering import Gathered
    from auditproof.plugin.session import AuditSession, Sessions
    from auditproof.report.model import ProofRecord, Report

SKIPPED = "skipped:"  # how the reason of a test begins that was skipped for another reason than the cluster's


class NotAttested(AuditproofError):
    """Why the reference cases of a run are not attested."""


def reference_records(sessions: Sessions, gathered: Gathered) -> tuple[ReferenceRecord, ...]:
    """What became of the reference cases, by version; nothing about a run that was to perform none."""
    return tuple(record for version, session in _pairs(sessions) for record in _record(version, session, gathered))


def _record(version: str, session: AuditSession, gathered: Gathered) -> Iterator[ReferenceRecord]:
    kubernetes, found = session.options.kubernetes, session.reference.found
    planned, left_out = len(_planned(version, gathered)), gathered.left_out.get(version, 0)
    if planned and not left_out:
        why = found.why if session.options.reference is ReferenceMode.ONCE else ""
        yield ReferenceRecord(kubernetes=kubernetes, state=ReferenceState.PERFORMED, cases=planned, why=why)
    elif found.attestation is not None and (left_out or session.reference.files):
        yield ReferenceRecord(
            kubernetes=kubernetes,
            state=ReferenceState.ATTESTED,
            cases=len(found.attestation.proven),
            attestation=found.digest,
            made=found.attestation.made.isoformat(),
        )
    elif left_out:
        yield ReferenceRecord(kubernetes=kubernetes, state=ReferenceState.LEFT_OUT, cases=left_out)


def _planned(version: str, gathered: Gathered) -> set[str]:
    """The ids of the reference cases that are planned for a version."""
    return {name for name in gathered.reference if version_in(name, gathered.kubernetes) == version}


def attested(report: Report, sessions: Sessions, gathered: Gathered) -> Report:
    """The report, after its reference cases are attested for later runs if all of them were proven."""
    records = []
    by_version = {session.options.kubernetes: (version, session) for version, session in _pairs(sessions)}
    for record in report.reference:
        version, session = by_version[record.kubernetes]
        if record.state is ReferenceState.PERFORMED and session.options.reference is ReferenceMode.ONCE:
            try:
                made = _attestation(report, version, session, gathered)
                update = {"attestation": keep(made), "made": made.made.isoformat()}
            except AuditproofError as error:
                update = {"why": str(error)}
            record = record.model_copy(update=update)
        records.append(record)
    return report.model_copy(update={"reference": tuple(records)})


def _pairs(sessions: Sessions) -> Iterator[tuple[str, AuditSession]]:
    return zip(sessions.versions or ("",), sessions, strict=True)


def _attestation(report: Report, version: str, session: AuditSession, gathered: Gathered) -> Attestation:
    """The attestation of a version's reference cases. Raises NotAttested with the reason if there can be none."""
    subject = session.reference.subject
    if subject is None:
        raise NotAttested(session.reference.found.why)
    if report.ended or not gathered.whole:
        raise NotAttested("this run has not performed all of them")
    proven, not_supported = by_verdict(report, _planned(version, gathered))
    counting = matching_counters(report, version)
    if _present(session) != subject:
        raise NotAttested("auditproof, a server or the environment has changed during this run")
    return Attestation(
        made=datetime.fromisoformat(report.finished),
        kubernetes=gathered.kubernetes[version],
        subject=subject,
        proven=tuple(without_version(name, version) for name in proven),
        not_supported=tuple(without_version(name, version) for name in not_supported),
        counting=counting,
    )


def matching_counters(report: Report, version: str) -> tuple[Counted, ...]:
    """The counters of a version's servers. Raises NotAttested if one does not match its log, or there are none."""
    counting = [one for one in report.counting if not version or one.policy.endswith(f" on {version}")]
    if not counting or not all(one.holds for one in counting):
        raise NotAttested("the counters of a server do not match its log")
    return tuple(Counted(policy=one.policy, events=one.events or 0, lines=one.lines) for one in counting)


def by_verdict(report: Report, planned: set[str]) -> tuple[list[str], list[str]]:
    """The ids of what was proven, and of what the cluster does not support. Raises NotAttested for another."""
    records: dict[str, list[ProofRecord]] = {name: [] for name in planned}
    for proof in report.proofs:
        name = proof.id if proof.id in records else proof.id.rpartition("#")[0]  # a Python test has several
        if name in records:
            records[name].append(proof)
    sorted_names: dict[Outcome, list[str]] = {Outcome.PROVEN: [], Outcome.NOT_SUPPORTED: []}
    for name, proofs in sorted(records.items()):
        verdicts = {proof.verdict for proof in proofs}
        skipped = any(reason.startswith(SKIPPED) for proof in proofs for reason in proof.reasons)
        if not verdicts or skipped or not verdicts <= sorted_names.keys():
            raise NotAttested(f"{name} is not PROVEN in this run")
        sorted_names[Outcome.NOT_SUPPORTED if Outcome.NOT_SUPPORTED in verdicts else Outcome.PROVEN].append(name)
    if not sorted_names[Outcome.PROVEN]:
        raise NotAttested("none of them is supported on this cluster")
    return sorted_names[Outcome.PROVEN], sorted_names[Outcome.NOT_SUPPORTED]


def _present(session: AuditSession) -> Subject | None:
    """The subject as it is now; None if a part of it is gone."""
    binaries = session.present_binaries
    try:
        return subject_of(binaries, session.options.profile) if binaries else None
    except OSError:
        return None
