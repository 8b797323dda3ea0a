"""Long policies for the benchmark."""

from __future__ import annotations

import json
from typing import Any

from auditproof.audit.policy.load import Policy, parse_policy


def long_policy(rules: int) -> Policy:
    """A policy with that many rules, each unlike the others in users and groups, verbs, names and namespaces."""
    kinds = (
        ("", "pods"),
        ("apps", "deployments"),
        ("", "pods/log"),
        ("rbac.authorization.k8s.io", "*"),
        ("", "events"),
    )
    verbs = ("get", "list", "watch", "create", "update", "patch", "delete")
    made: list[dict[str, Any]] = []
    for n in range(rules):
        group, resource = kinds[n % len(kinds)]
        entry: dict[str, Any] = {"group": group, "resources": [resource]}
        entry |= {"resourceNames": [f"object-{n}"]} if n % 6 == 0 else {}
        rule: dict[str, Any] = {"level": "Metadata", "verbs": [verbs[n % 7], verbs[(n + 2) % 7]], "resources": [entry]}
        rule |= {"users": [f"system:serviceaccount:team-{n % 9}:robot-{n}", f"user-{n}"]} if n % 2 == 0 else {}
        rule |= {"userGroups": [f"team-{n}", "ops"]} if n % 4 == 1 else {}
        rule |= {"namespaces": [f"team-{n % 9}"]} if n % 5 == 0 else {}
        made.append(rule)
    document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [*made, {"level": "Metadata"}]}
    return parse_policy(json.dumps(document).encode(), "long.json")
