"""Which rules' ``resources`` match a resource, by look-up instead of trying every pattern.

Source of the semantics: ruleMatchesResource in staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.audit.policy.load import PolicyRule

_EVERYTHING = None  # an entry without resources is kept here
Named = tuple[tuple[str, int], ...]


class ResourceIndex:
    """The rules by API group and pattern; ``unbound`` are those that match any resource."""

    def __init__(self, rules: Sequence[PolicyRule]) -> None:
        self.unbound = 0
        self.groups: dict[str, None] = {}
        self._plain: dict[str, dict[str | None, int]] = defaultdict(lambda: defaultdict(int))
        self._named: dict[str, dict[str | None, dict[str, int]]]
        self._named = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        for number, rule in enumerate(rules):
            bit = 1 << number
            if not rule.resources and (rule.namespaces or not rule.non_resource_urls):
                self.unbound |= bit
            for entry in rule.resources:
                if entry.group != "*":
                    self.groups[entry.group] = None
                for pattern in entry.resources or (_EVERYTHING,):
                    for name in entry.resource_names:
                        self._named[entry.group][pattern][name] |= bit
                    if not entry.resource_names:
                        self._plain[entry.group][pattern] |= bit

    def masks(self, group: str, resource: str, subresource: str) -> tuple[int, Named]:
        """The rules that match any object name, and for each name that matters the additional ones."""
        plain, named = self.unbound, defaultdict[str, int](int)
        for known in (group, "*"):
            # Every pattern that matches; ``pods/*`` also matches pods.
            patterns: tuple[str | None, ...]
            if subresource:
                patterns = (_EVERYTHING, "*", f"{resource}/{subresource}", f"*/{subresource}", f"{resource}/*")
            else:
                patterns = (_EVERYTHING, "*", resource, f"{resource}/*")
            for pattern in patterns:
                plain |= self._plain.get(known, {}).get(pattern, 0)
                for name, mask in self._named.get(known, {}).get(pattern, {}).items():
                    named[name] |= mask
        return plain, tuple(sorted(named.items()))

    def mentioned(self, group: str) -> Iterator[tuple[str, str]]:
        """Resource and subresource of all patterns for ``group``, as written (``*`` included)."""
        for known in (group, "*"):
            for table in (self._plain, self._named):
                for pattern in table.get(known, {}):
                    if pattern is not _EVERYTHING:
                        resource, _, subresource = pattern.partition("/")
                        yield resource, subresource
