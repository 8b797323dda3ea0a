"""Reads results.json back: this version of the format, whichever version of auditproof wrote it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from auditproof.errors import AuditproofError
from auditproof.proof.verdict import WHO_IS_WRONG, Outcome
from auditproof.report.document import concluded, summary_of
from auditproof.report.model import API_VERSION, KIND, Report, plain

if TYPE_CHECKING:
    from pathlib import Path


def load_report(path: Path) -> Report:
    """The report in a file; what is optional and absent has its default.

    Raises AuditproofError where the file cannot be read, is no results.json, is of another version of the format, or
    does not add up.

    >>> from pathlib import Path
    >>> from auditproof import AuditproofError, load_report
    >>> try:
    ...     load_report(Path("reports/none.json"))
    ... except AuditproofError as error:
    ...     print(error)
    reports/none.json: cannot be read: No such file or directory
    """
    data = _parsed(path)
    said = data.get("apiVersion"), data.get("kind")
    if said != (API_VERSION, KIND):
        expected = f"expected are apiVersion {API_VERSION} and kind {KIND}"
        raise AuditproofError(f"{path}: this is apiVersion {said[0]} and kind {said[1]}; {expected}")
    try:
        report = Report.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        json_path = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise AuditproofError(f"{path}: {json_path}: {first['msg'][:200]}") from None
    _check_sums(path, report)
    return _concluded(path, report if report.decision else _judged_apart(report))


def _judged_apart(report: Report) -> Report:
    """A report of an earlier version, which judged requests of a requirement by the requirement.

    If the server recorded what the policy decides, that was no fault of the server.
    """
    required = {name for record in report.requirements for name in record.proofs}
    proofs = (
        proof.model_copy(update={"contradicts": "policy"})
        if proof.id in required
        and proof.verdict is Outcome.VIOLATED
        and not any(WHO_IS_WRONG in reason for reason in proof.reasons)
        else proof
        for proof in report.proofs
    )
    return report.model_copy(update={"proofs": tuple(proofs)})


def _concluded(path: Path, report: Report) -> Report:
    """The report with its decision; one that is stated must follow from the rest, because readers look no further."""
    told = concluded(report)
    if report.decision and told.decision and report.decision.passes != told.decision.passes:
        stated, found = ("passes" if one.passes else "does not pass" for one in (report.decision, told.decision))
        raise AuditproofError(f"{path}: $.decision: it says that the run {stated}, but it {found} by what was shown")
    return told


def _check_sums(path: Path, report: Report) -> None:
    """Compare the counts with the proofs: a reader who trusts a report looks no further than the counts."""
    found, said = plain(summary_of(report.proofs, report.not_performed)), plain(report.summary)
    wrong = [key for key in found if found[key] != said[key] and key != "performed"]
    if wrong:
        told, counted = (", ".join(f"{counts[key]} {key}" for key in wrong) for counts in (said, found))
        raise AuditproofError(f"{path}: $.summary: it says {told}, but the proofs count {counted}")
    if len({proof.id for proof in report.proofs}) != len(report.proofs):
        raise AuditproofError(f"{path}: $.proofs: some have the same id: every proof needs an id of its own")


def _parsed(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AuditproofError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise AuditproofError(f"{path}: this is not JSON: {error}") from None
    if not isinstance(report, dict):
        raise AuditproofError(f"{path}: a results.json is a JSON object, this is a {type(report).__name__}")
    return report
