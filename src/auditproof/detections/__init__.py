"""Detection rules that read the audit log: what each needs, and whether a policy still feeds it. Pure, apart from load.

``readers`` translate the rules of Sigma, Falco, Elastic and a format of auditproof's own into one ``Condition`` on the
fields of an event.
"""

from __future__ import annotations

from auditproof.detections.check import Fed, check_detections
from auditproof.detections.condition import (
    FALSE,
    TRUE,
    And,
    Condition,
    Not,
    Operator,
    Or,
    Test,
    both,
    either,
    matches,
    negated,
    tests_of,
)
from auditproof.detections.demand import Feed
from auditproof.detections.detection import Detection, NotRead, Rules
from auditproof.detections.fields import ANYWHERE, EACH, Derived, Field
from auditproof.detections.lost import Lost
from auditproof.detections.moments import Moment, at_moment
from auditproof.detections.readers import load_rules
from auditproof.detections.remedy import needed_text, recorded_text, remedy, remedy_text
from auditproof.detections.request_text import request_text

__all__ = [
    "ANYWHERE",
    "EACH",
    "FALSE",
    "TRUE",
    "And",
    "Condition",
    "Derived",
    "Detection",
    "Fed",
    "Feed",
    "Field",
    "Lost",
    "Moment",
    "Not",
    "NotRead",
    "Operator",
    "Or",
    "Rules",
    "Test",
    "at_moment",
    "both",
    "check_detections",
    "either",
    "load_rules",
    "matches",
    "needed_text",
    "negated",
    "recorded_text",
    "remedy",
    "remedy_text",
    "request_text",
    "tests_of",
]
