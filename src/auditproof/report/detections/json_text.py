"""Detection rules for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditproof.audit.stages import in_order
from auditproof.detections import Feed, recorded_text, remedy_text, request_text

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy
    from auditproof.detections import Fed, Lost
    from auditproof.report.detections.fed_rules import FedRules


def as_json(found: FedRules) -> str:
    """One document of the kind DetectionsReport."""
    counts = {str(feed): len(found.of(feed)) for feed in Feed}
    data = {
        "apiVersion": "auditproof/v1",
        "kind": "DetectionsReport",
        "kubernetes": found.kubernetes,
        "policy": _policy(found.policy),
        "base": _policy(found.base) if found.base else None,
        "counts": counts | {"NOT READ": len(found.not_read), "worse": len(found.worse)},
        "rules": [rule_data(one) for one in found.bad_first()],
        "notRead": [
            {"id": one.id, "title": one.title, "pack": one.pack, "at": str(one.position), "reason": one.reason}
            for one in found.not_read
        ],
        "otherLogs": found.others,
    }
    return json.dumps(data, indent=1, ensure_ascii=False)


def _policy(policy: Policy) -> dict[str, str]:
    return {"path": policy.path, "sha256": policy.sha256}


def rule_data(one: Fed) -> dict[str, Any]:
    """A rule, whether it is fed, and the requests that it loses."""
    rule = one.detection
    return {
        "id": rule.id,
        "title": rule.title,
        "pack": rule.pack,
        "severity": rule.severity,
        "tags": list(rule.tags),
        "at": str(rule.position),
        "enabled": rule.enabled,
        "remarks": list(rule.remarks),
        "feed": str(one.feed),
        "before": str(one.base) if one.base else None,
        "worse": one.worse,
        "sees": request_text(one.witness, one.values) if one.witness and one.values else None,
        "never": one.why_never or None,
        "lost": [_lost(lost) for lost in one.lost],
    }


def _lost(lost: Lost) -> dict[str, Any]:
    needs = sorted(lost.needs, key=lambda moment: (str(moment.level), str(moment.stage)))
    return {
        "requests": lost.what,
        "by": lost.who,
        "through": list(lost.through),
        "example": request_text(lost.witness, lost.values),
        "level": str(lost.level),
        "stages": [str(stage) for stage in in_order(lost.stages)],
        "recorded": recorded_text(lost),
        "rule": lost.rule.index if lost.rule else None,
        "at": str(lost.rule.position) if lost.rule else None,
        "needs": [{"level": str(moment.level), "stage": str(moment.stage)} for moment in needs],
        "remedy": remedy_text(lost),
        "new": lost.new,
        "inPart": lost.partly,
    }
