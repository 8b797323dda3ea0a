"""A request that matters to a rule, in words: what the policy sees of it, and the values of its other fields. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from auditproof.analysis.space.client_request import asked_text

if TYPE_CHECKING:
    from auditproof.detections.solving import Values
    from auditproof.kube.attributes import Attributes


def request_text(request: Attributes, values: Values) -> str:
    """The request, with the fields that the rule asks for besides, e.g. ``create pods in shop by alice with ...``."""
    fields = [f"{field} = {_shown(given)}" for field, given in values.of.items() if given]
    fields += [str(test) for test in values.unknown]
    failed = "" if request.user else " after a failed login"
    return f"{asked_text(request)}{failed}" + (f" with {', '.join(fields)}" if fields else "")


def _shown(values: tuple[object, ...]) -> str:
    return " and ".join(value if isinstance(value, str) else json.dumps(value) for value in values)
