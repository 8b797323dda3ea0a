"""Tests of the fields of Elastic's documents, as tests of the events that these were made from. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.detections.condition import TRUE, Condition, Operator, Test
from auditproof.detections.fields import Field
from auditproof.detections.readers.event_fields import table
from auditproof.detections.readers.merged import any_of
from auditproof.detections.readers.untranslatable import Untranslatable, checked_network

if TYPE_CHECKING:
    from auditproof.detections.readers.event_fields import Names

_OWN = "kubernetes.audit."
_DECISION = Field(("annotations", "authorization.k8s.io/decision"))
_ADDRESSES = ("source.ip", "client.ip")
_WORD = re.compile(r"[A-Za-z0-9_]*")
_REMOVED = re.compile(r"(requestObject|responseObject)\.metadata(\.|$)")


def compared(name: str, operator: Operator, values: tuple[str, ...], names: Names, *, fold: bool = False) -> Condition:
    """The test of a field of a document. Raises Untranslatable for a field that does not come from an event."""
    test = Test(Field((name,)), operator, values, fold=fold)
    fixed = table("elastic_values").get(name)
    if fixed is not None:
        return any_of(
            Test(_DECISION, Operator.EQUALS, (decision,)) if decision else TRUE
            for value, decision in fixed.items()
            if test.accepts(value)
        )
    if name in _ADDRESSES and operator is Operator.EQUALS and any("/" in value for value in values):
        operator = Operator.IN_NETWORK
    if operator is Operator.IN_NETWORK:
        for value in values:
            checked_network(value)
    return replace(test, field=_field(name, operator, values, names), operator=operator)


def _field(name: str, operator: Operator, values: tuple[str, ...], names: Names) -> Field:
    if name in names.table:
        return names.field(name)
    path = name.removeprefix(_OWN)
    if path == name:
        raise Untranslatable(f"it compares {name}, which does not come from the audit event")
    if path.startswith("annotations."):
        # The pipeline writes _ for the dots of a key, and a domain has no other underscores.
        domain, slash, rest = path.removeprefix("annotations.").partition("/")
        path = f"annotations.{domain.replace('_', '.') if slash else domain}{slash}{rest}"
    if _REMOVED.match(path):
        names.remarks[f"Elastic's pipeline removes {path.split('.')[0]}.metadata, so {name} is never there"] = None
    is_text = any(path == text or path.startswith(f"{text}.") for text in table("elastic_text")["fields"])
    if is_text and operator is not Operator.EXISTS and not all(map(_WORD.fullmatch, values)):
        names.remarks[f"Elastic indexes {name} as text, word by word; it is compared as a whole here"] = None
    return names.field(path)
