"""Alternatives put together: one test of several values in place of several tests of one. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.detections.condition import Condition, Operator, Test, either

if TYPE_CHECKING:
    from collections.abc import Iterable


def any_of(parts: Iterable[Condition]) -> Condition:
    """The disjunction, in which tests that differ in nothing but their values are one.

    >>> from auditproof.detections import Field, Operator, Test
    >>> verbs = [Test(Field.at("verb"), Operator.EQUALS, (verb,)) for verb in ("update", "patch")]
    >>> print(any_of(verbs))
    verb = one of update, patch
    """
    merged: dict[object, Condition] = {}
    for part in parts:
        if isinstance(part, Test) and part.operator is not Operator.EXISTS and not part.every:
            key = replace(part, values=())
            known = merged.get(key)
            values = (*known.values, *part.values) if isinstance(known, Test) else part.values
            merged[key] = replace(part, values=tuple(dict.fromkeys(values)))
        else:
            merged[part] = part
    return either(*merged.values())
