"""An audit policy, as kube-apiserver reads it (audit.k8s.io/v1), each value with its place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditproof.audit import Level, Stage
    from auditproof.errors import Position, Problem


@dataclass(frozen=True, slots=True)
class GroupResources:
    """Resources of one API group; ``group`` "" is core and, since Kubernetes 1.36, "*" is every group."""

    group: str
    resources: tuple[str, ...]
    resource_names: tuple[str, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule; ``index`` counts from 0, an empty tuple means no constraint."""

    index: int
    level: Level
    users: tuple[str, ...]
    user_groups: tuple[str, ...]
    verbs: tuple[str, ...]
    resources: tuple[GroupResources, ...]
    namespaces: tuple[str, ...]
    non_resource_urls: tuple[str, ...]
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool | None
    position: Position


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that the API server accepts; ``warnings`` are what it would only log (misspelt or duplicate keys)."""

    rules: tuple[PolicyRule, ...]
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool
    path: str
    sha256: str
    text: str
    warnings: tuple[Problem, ...]
