"""The first case file of a user: it expects what the policy decides now, so it is green until something changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.decide import decide
from auditproof.audit.event import Level
from auditproof.audit.stages import emitted_stages
from auditproof.kube.action import act, to_request
from auditproof.kube.attributes import attributes_of
from auditproof.kube.identity import Identity
from auditproof.starter.template import filled

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy

FILE = "audit/own.audit.yaml"
NAMESPACE = "audit-example"
_OK = 200


def own_cases(policy: Policy, name: str, schema: str) -> str:
    """The text of the case file about ``policy``, which the user knows by ``name``; ``schema`` is the editor's."""
    return filled(
        "cases.yaml",
        SCHEMA=schema,
        POLICY=name,
        NAMESPACE=NAMESPACE,
        READ=_expected(policy, "get", "secrets/db"),
        SHELL=_expected(policy, "exec", "pods/web"),
    )


def _expected(policy: Policy, verb: str, what: str) -> str:
    """What the policy decides about this request of alice, as a case states it."""
    request = to_request(act(verb, what, NAMESPACE))
    attributes = attributes_of(request.method, request.uri, Identity.named("alice").user_info())
    decision = decide(policy, attributes)
    if decision.level is Level.NONE or not emitted_stages(attributes, _OK) - decision.omit_stages:
        return "{level: None}"
    bodies = "" if decision.level is Level.REQUEST_RESPONSE else ", absent: [responseObject]"
    return f"{{level: {decision.level}{bodies}}}"
