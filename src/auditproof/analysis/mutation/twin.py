"""A deliberately broken twin for any policy: every request is recorded at a different level. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy, PolicyRule

OTHER = {
    Level.NONE: Level.METADATA,
    Level.METADATA: Level.REQUEST,
    Level.REQUEST: Level.REQUEST_RESPONSE,
    Level.REQUEST_RESPONSE: Level.METADATA,
}


def twin_of(policy: Policy) -> str:
    """The text of a policy that decides every request by the rule at the same place, but at a different level.

    Whatever a request is, the twin records it otherwise than ``policy`` does: it records what no rule of ``policy``
    matches, and omits no stages, so that it also records what a rule leaves out by omitting all of them.
    """
    rules = [*map(_other, policy.rules), {"level": str(Level.METADATA)}]
    head = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy"}
    return json.dumps({**head, "omitManagedFields": policy.omit_managed_fields, "rules": rules}, indent=1)


def _other(rule: PolicyRule) -> dict[str, Any]:
    resources = [
        {"group": entry.group, "resources": entry.resources, "resourceNames": entry.resource_names}
        for entry in rule.resources
    ]
    conditions = {
        "users": rule.users,
        "userGroups": rule.user_groups,
        "verbs": rule.verbs,
        "resources": resources,
        "namespaces": rule.namespaces,
        "nonResourceURLs": rule.non_resource_urls,
    }
    kept = {key: value for key, value in conditions.items() if value}
    return {"level": str(OTHER[rule.level]), **kept, "omitManagedFields": rule.omit_managed_fields}
