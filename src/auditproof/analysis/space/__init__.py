"""The space: every kind of request that policies can distinguish, in equivalence classes; complete, not sampled. Pure.

A policy mentions finitely many users, groups, verbs, namespaces, resources, names and paths, so the values of each
dimension fall into finitely many classes that it treats alike, one of them "anything else". A class is a bitmask of the
rules whose condition in that dimension it meets; the AND of the masks gives the rules that match, and its lowest bit
the rule that decides. ``Space.of`` takes any sequence of rules, so that two policies, or a policy and requirements,
share one space.

``identities`` (who), ``cells`` (what) and ``path_index`` define what counts as a request.
"""

from __future__ import annotations

from auditproof.analysis.space.cells import Cell, PathCell, ResourceCell
from auditproof.analysis.space.identities import IdentityClass, Region
from auditproof.analysis.space.reachability import Witness, reachable
from auditproof.analysis.space.rows import Row, merge
from auditproof.analysis.space.space import ClassDecision, Space

__all__ = [
    "Cell",
    "ClassDecision",
    "IdentityClass",
    "PathCell",
    "Region",
    "ResourceCell",
    "Row",
    "Space",
    "Witness",
    "merge",
    "reachable",
]
