"""What became of the reference cases, in sentences. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from auditproof.report.model import ReferenceState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.report.model import ReferenceRecord, Report

SHOWN = 12  # digits of an attestation's digest


def reference_remarks(report: Report, *states: ReferenceState) -> Iterator[str]:
    """What a reader has to know of reference cases in these states; without any, of all that were not performed."""
    several = len(report.reference) > 1
    for one in report.reference:
        if states and one.state not in states:
            continue
        on = f" on Kubernetes {one.kubernetes}" if several else ""
        if one.state is ReferenceState.ATTESTED:
            same = f"with the same auditproof, kube-apiserver, etcd and flags (attestation {one.attestation[:SHOWN]})"
            yield f"{one.cases:,} reference cases were proven{on} on {_day(one)} {same}."
        elif one.state is ReferenceState.LEFT_OUT:
            yield f"The reference cases were left out{on}: it is not shown that auditproof works with this server."


def reference_lines(report: Report) -> Iterator[str]:
    """What this run has attested for later ones, or why it has not."""
    for one in report.reference:
        if one.state is ReferenceState.PERFORMED and one.attestation:
            text = (
                f"attestation {one.attestation[:SHOWN]}: later runs need not repeat the {one.cases:,} reference cases"
            )
            yield f"{text} of Kubernetes {one.kubernetes}"
        elif one.state is ReferenceState.PERFORMED and one.why:
            yield f"no attestation of the reference cases: {one.why}"


def _day(one: ReferenceRecord) -> str:
    """The day of the attestation, for people; the text itself if it is no date."""
    try:
        made = datetime.fromisoformat(one.made)
    except ValueError:
        return one.made
    return f"{made.day} {made:%B %Y}"
