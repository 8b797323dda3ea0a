"""The section ``detections`` of results.json."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from auditproof.detections import needed_text, recorded_text, remedy_text, request_text
from auditproof.report.model import DetectionRecord, DetectionsRecord, LostRecord, NotReadRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.detections import Fed, Lost, Rules
    from auditproof.proof.detected import Tried

SHOWN = 20  # kinds of lost requests of a rule that are recorded


def detections_record(
    found: Sequence[Fed], rules: Rules, tried: Sequence[Tried] = (), *, forbid_blind: bool
) -> DetectionsRecord:
    """The section, of what was found of each rule; ``tried`` are the examples of the same rules, if any are sent."""
    left = tuple(
        NotReadRecord(
            id=one.id,
            title=one.title,
            pack=one.pack,
            file=one.position.path,
            line=one.position.line,
            reason=one.reason,
        )
        for one in rules.not_read
    )
    return DetectionsRecord(
        rules=tuple(_rule(one, shown) for one, shown in zip_longest(found, tried)),
        not_read=left,
        other_logs=rules.others,
        forbid_blind=forbid_blind,
    )


def _rule(one: Fed, tried: Tried | None) -> DetectionRecord:
    rule = one.detection
    return DetectionRecord(
        id=rule.id,
        title=rule.title,
        pack=rule.pack,
        file=rule.position.path,
        line=rule.position.line,
        severity=rule.severity,
        tags=rule.tags,
        remarks=rule.remarks,
        feed=one.feed.value,
        before=one.base.value if one.base else None,
        worse=one.worse,
        never=one.why_never,
        sees=request_text(one.witness, one.values) if one.witness and one.values else "",
        lost=tuple(map(_lost, one.lost[:SHOWN])),
        proofs=tuple(f"{tried.suite}::{case.id}" for case in tried.cases) if tried else (),
        not_tried=tuple(dict.fromkeys(tried.not_fired)) if tried else (),
    )


def _lost(lost: Lost) -> LostRecord:
    return LostRecord(
        requests=lost.what,
        by=lost.who,
        example=request_text(lost.witness, lost.values),
        recorded=recorded_text(lost),
        line=lost.rule.position.line if lost.rule else None,
        needed=needed_text(lost.needs),
        remedy=remedy_text(lost),
        new=lost.new,
        in_part=lost.partly,
    )
