"""Detection rules that read the audit log: what each needs, and whether a policy still feeds it. Pure, apart from load.

``readers`` translate the rules of Sigma, Falco, Elastic and a format of auditproof's own into one ``Condition`` on the
fields of an event.
"""

from __future__ import annotations

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
from auditproof.detections.detection import Detection, NotRead, Rules
from auditproof.detections.fields import ANYWHERE, EACH, Derived, Field

__all__ = [
    "ANYWHERE",
    "EACH",
    "FALSE",
    "TRUE",
    "And",
    "Condition",
    "Derived",
    "Detection",
    "Field",
    "Not",
    "NotRead",
    "Operator",
    "Or",
    "Rules",
    "Test",
    "both",
    "either",
    "matches",
    "negated",
    "tests_of",
]
