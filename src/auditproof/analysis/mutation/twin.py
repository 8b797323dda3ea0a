"""A twin for any policy, broken on purpose: what it records, it records at another level. Pure."""

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
    """The text of a policy that decides of every request otherwise than ``policy``, but by a rule of the same place.

    What no rule of ``policy`` matches is recorded. Stages are left as they are: a rule that omits all of them records
    nothing in the twin, either.
    """
    rules = [*map(_other, policy.rules), {"level": str(Level.METADATA)}]
    head = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy"}
    stages = {"omitStages": sorted(policy.omit_stages), "omitManagedFields": policy.omit_managed_fields}
    return json.dumps({**head, **stages, "rules": rules}, indent=1)


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
        "omitStages": sorted(rule.omit_stages),
    }
    kept = {key: value for key, value in conditions.items() if value}
    return {"level": str(OTHER[rule.level]), **kept, "omitManagedFields": rule.omit_managed_fields}
