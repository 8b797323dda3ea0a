"""Non-resource paths, in classes that no rule distinguishes.

A pattern with a trailing ``*`` is a raw string prefix. A path belongs to the class of the patterns that it matches, and
every class of non-resource paths has a member among the candidates here: a mentioned or served path, a prefix, or a
prefix with something after it. A request line may have ``*`` for a path.
Source: pathMatches in staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import quote

from auditproof.kube.attributes import NotAudited, attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.audit.policy.load import PolicyRule
    from auditproof.kube.discovery import Served

ASTERISK = (
    "*"  # the policy also decides `GET *` (net/http responds to `OPTIONS *` itself); only the pattern "*" matches it
)
_BEHIND = ("", "/", "-something", "something", "//")


class PathIndex:
    """The rules by path pattern; ``unbound`` are those that match any path."""

    def __init__(self, rules: Sequence[PolicyRule]) -> None:
        self.unbound = 0
        self._exact: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}
        for number, rule in enumerate(rules):
            if not rule.resources and not rule.namespaces and not rule.non_resource_urls:
                self.unbound |= 1 << number
            for pattern in rule.non_resource_urls:
                table = self._prefixes if pattern.endswith("*") else self._exact
                name = pattern.removesuffix("*")
                table[name] = table.get(name, 0) | 1 << number

    def mask(self, path: str) -> int:
        """The rules whose target condition the path meets."""
        mask = self.unbound | self._exact.get(path, 0)
        for prefix, rules in self._prefixes.items():
            if path.startswith(prefix):
                mask |= rules
        return mask

    def classes(self, served: Served) -> dict[tuple[int, bool, bool], tuple[str, ...]]:
        """Mask, whether the paths are served, whether they are odd, and the paths of each class."""
        own = frozenset(served.paths)
        found: dict[tuple[int, bool, bool], list[str]] = {}
        for path in dict.fromkeys([*served.paths, *self._candidates()]):
            if is_path(path):
                found.setdefault((self.mask(path), path in own, path == ASTERISK), []).append(path)
        return {key: tuple(paths) for key, paths in found.items()}

    def _candidates(self) -> Iterator[str]:
        yield "/"
        yield from self._exact
        beginnings = [path for path in [*self._exact, *self._prefixes] if path]
        for prefix in ["/", *filter(None, self._prefixes)]:
            yield from (f"{prefix}{behind}" for behind in _BEHIND)
            # One path that continues, and one with only slashes: everything below ``/api/v1/`` is a resource.
            # Neither matches a longer pattern.
            longer = {path[len(prefix)] for path in beginnings if len(path) > len(prefix) and path.startswith(prefix)}
            yield prefix + next(mark for mark in map(chr, count(ord("a"))) if mark not in longer)
            rest = (path.removeprefix(prefix) for path in beginnings if path.startswith(prefix))
            yield prefix + "/" * (1 + max((len(path) - len(path.lstrip("/")) for path in rest), default=0))
        yield ASTERISK


def is_path(path: str) -> bool:
    """Whether a request for ``path`` is a non-resource request."""
    if path == ASTERISK:
        return True
    try:
        return path.startswith("/") and not attributes_of("GET", quote(path), None).resource_request
    except NotAudited:
        return False
