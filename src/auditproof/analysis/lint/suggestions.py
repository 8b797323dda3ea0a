"""Did you mean: resources, groups and verbs similar to the text in the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.text.suggestion import closest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.kube.discovery import Served

CLOSE = 0.75
# The short names of kubectl. Source: ShortNames of the registries in pkg/registry.
SHORT_NAMES = {
    "cj": "cronjobs",
    "cm": "configmaps",
    "crd": "customresourcedefinitions",
    "crds": "customresourcedefinitions",
    "cs": "componentstatuses",
    "csr": "certificatesigningrequests",
    "deploy": "deployments",
    "ds": "daemonsets",
    "ep": "endpoints",
    "ev": "events",
    "hpa": "horizontalpodautoscalers",
    "ing": "ingresses",
    "ip": "ipaddresses",
    "limits": "limitranges",
    "netpol": "networkpolicies",
    "no": "nodes",
    "ns": "namespaces",
    "pc": "priorityclasses",
    "pdb": "poddisruptionbudgets",
    "po": "pods",
    "pv": "persistentvolumes",
    "pvc": "persistentvolumeclaims",
    "quota": "resourcequotas",
    "rc": "replicationcontrollers",
    "rs": "replicasets",
    "sa": "serviceaccounts",
    "sc": "storageclasses",
    "sts": "statefulsets",
    "svc": "services",
    "vac": "volumeattributesclasses",
}


def close(text: str, known: Iterable[str], cutoff: float = CLOSE) -> str:
    """The known text closest to ``text``, ignoring case; empty if none is close (``cutoff`` from 0 to 1)."""
    return closest(text, known, cutoff=cutoff, ignore_case=True) or ""


def full_name(resource: str, group: str) -> str:
    """As kubectl would write it: ``deployments.apps/scale``."""
    main, slash, sub = resource.partition("/")
    return f"{main}.{group}{slash}{sub}" if group else resource


def groups_with(served: Served, pattern: str) -> list[str]:
    """The API groups that serve exactly this resource."""
    return [entry.group for entry in served.resources if entry.full_name == pattern]


def resource_like(served: Served, pattern: str, group: str) -> tuple[str, str]:
    """The resource and group that ``pattern`` may mean: in its own group first, then in any; empty if none."""
    name, slash, part = pattern.partition("/")
    pattern = SHORT_NAMES.get(name.lower(), name) + slash + part
    own = [entry.full_name for entry in served.resources if group in (entry.group, "*")]
    for wanted in (pattern, f"{pattern}s", f"{pattern}es", f"{pattern.removesuffix('y')}ies"):
        if wanted.lower() in own:
            return wanted.lower(), group
    for wanted in (pattern.lower(), f"{pattern}s".lower(), f"{pattern}es".lower()):
        if others := groups_with(served, wanted):
            return wanted, others[0]
    return close(pattern, own), group
