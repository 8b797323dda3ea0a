"""Examples of detection rules: the least request that triggers a rule, a near miss, and whether a rule fires. Pure.

They are made from the rule's condition alone, so they show what a policy records of what the rule is about, whatever
the policy's own rules are.
"""

from __future__ import annotations

from auditproof.detections.examples.case import example_case
from auditproof.detections.examples.example import Example, NoExample, examples_of
from auditproof.detections.examples.firing import Firing
from auditproof.detections.examples.forecast import Answer, Draft, Forecast
from auditproof.detections.examples.through import Indirect, Through, indirect_example

__all__ = [
    "Answer",
    "Draft",
    "Example",
    "Firing",
    "Forecast",
    "Indirect",
    "NoExample",
    "Through",
    "example_case",
    "examples_of",
    "indirect_example",
]
