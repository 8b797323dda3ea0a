"""Builds the report of a run out of its proofs, and writes results.json."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof import __version__
from auditproof.audit.redact import redact_text
from auditproof.proof.verdict import Outcome
from auditproof.report.detections.fired import with_fired
from auditproof.report.model import (
    API_VERSION,
    KIND,
    Report,
    RunRecord,
    Sections,
    Summary,
    TicketRecord,
    VersionRecord,
    results_parts,
)
from auditproof.report.requirement_states import State, requirement_states
from auditproof.report.statements import decision, statements
from auditproof.report.versions import differing, version_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from auditproof.report.model import ClusterRecord, PolicyRecord, ProofRecord


def conformance_report(
    proofs: Sequence[ProofRecord],
    *,
    policy: PolicyRecord,
    cluster: ClusterRecord,
    versions: Mapping[str, str] | None = None,
    run: RunRecord = RunRecord(),  # noqa: B008 - frozen
    ticket: TicketRecord = TicketRecord(),  # noqa: B008 - frozen
    planned: Sequence[str],
    started: datetime,
    finished: datetime,
    sabotage: bool = False,
    sections: Sections = Sections(),  # noqa: B008 - frozen
    ended: str = "",
    deselected: int = 0,
) -> Report:
    """The report of a run.

    ``planned`` are the ids of all that was to be proven. What was planned and has no record was not performed, and is
    unproven: so planned = proven + violated + unproven + notSupported, always. ``started`` and ``finished`` know their
    time zone. ``ended`` says how the run ended early, ``deselected`` how much was left out by -k, -m and the like.
    ``sabotage``: the servers ran policies broken on purpose. ``versions`` are those of a run on several Kubernetes
    versions, each with what its servers report. Raises ValueError where two proofs have the same id,
    because then the counts would not add up.
    """
    done = {proof.id for proof in proofs}
    missing = tuple(proof_id for proof_id in planned if proof_id not in done)
    if len(done) != len(proofs):
        raise ValueError(f"{len(proofs)} proofs have {len(done)} ids: every proof needs an id of its own")
    report = Report(
        api_version=API_VERSION,
        kind=KIND,
        auditproof=__version__,
        started=_utc(started),
        finished=_utc(finished),
        ended=ended,
        sabotage=sabotage,
        policy=policy,
        cluster=cluster,
        run=run,
        ticket=ticket,
        summary=summary_of(proofs, missing),
        versions=_version_records(proofs, missing, versions or {}),
        differing=differing(
            proofs, [name for name in versions or () if any(one.kubernetes == name for one in proofs)], missing
        ),
        deselected=deselected,
        not_performed=missing,
        proofs=tuple(sorted(map(_without_secrets, proofs), key=lambda proof: proof.id)),
        **{name: getattr(sections, name) for name in Sections.model_fields},
    )
    return concluded(report)


def concluded(report: Report) -> Report:
    """The report with what follows from its other parts: the decision, the statements, and which requirements are met.

    What an earlier version has written, or a later one, is replaced.
    """
    states = {(one.record.file, one.record.id): one for one in requirement_states(report)}
    known = {State.UNMET: False, State.MET: True}
    requirements = []
    for record in report.requirements:
        state = states[(record.file, record.id)]
        shown = state.proven == len(record.proofs) > 0
        requirements.append(record.model_copy(update={"met": known.get(state.state), "shown": shown}))
    if report.detections is not None:
        report = report.model_copy(update={"detections": with_fired(report)})
    update = {"requirements": tuple(requirements), "decision": decision(report), "statements": statements(report)}
    return report.model_copy(update=update)


def summary_of(proofs: Sequence[ProofRecord], not_performed: Sequence[str]) -> Summary:
    """The counts of these proofs, and of what was planned and not reached."""
    verdicts = Counter(proof.verdict for proof in proofs)
    return Summary(
        planned=len(proofs) + len(not_performed),
        performed=sum(1 for proof in proofs if proof.audit_id),
        proven=verdicts[Outcome.PROVEN],
        violated=verdicts[Outcome.VIOLATED],
        unproven=verdicts[Outcome.UNPROVEN] + len(not_performed),
        not_supported=verdicts[Outcome.NOT_SUPPORTED],
    )


def _version_records(
    proofs: Sequence[ProofRecord], missing: Sequence[str], versions: Mapping[str, str]
) -> tuple[VersionRecord, ...]:
    """The counts of each version."""
    return tuple(
        VersionRecord(
            version=version,
            kubernetes=kubernetes,
            summary=summary_of(
                [proof for proof in proofs if proof.kubernetes == version],
                [name for name in missing if version_in(name, versions) == version],
            ),
        )
        for version, kubernetes in versions.items()
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _without_secrets(proof: ProofRecord) -> ProofRecord:
    """The last gate: a URI or a failed assertion may hold a token (events are redacted where they are recorded)."""
    path, reasons = redact_text(proof.request.path), tuple(map(redact_text, proof.reasons))
    if (path, reasons) == (proof.request.path, proof.reasons):
        return proof  # as it is: a copy of each of thousands would take as much memory again
    return proof.model_copy(update={"request": proof.request.model_copy(update={"path": path}), "reasons": reasons})


def write_results(path: Path, report: Report) -> None:
    """Write the report to ``path``, whole or not at all. Raises OSError where the folder cannot be written to."""
    replace_file(path, results_parts(report))


def replace_file(path: Path, text: str | Iterable[str]) -> None:
    """Put ``text`` (UTF-8), or its parts, in the place of a file; a reader sees the old or the new one, never a part.

    What UTF-8 cannot encode (half a surrogate pair, as in an undecodable file name) becomes a question mark.
    Raises OSError where the folder cannot be written to.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines([text] if isinstance(text, str) else text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
