"""The result of lint: a Finding, with a request that demonstrates it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.analysis.lint.catalogue import CATALOGUE
from auditproof.audit.event import Level
from auditproof.audit.stages import emitted_stages
from auditproof.kube.request_line import request_line

if TYPE_CHECKING:
    from auditproof.analysis.lint.catalogue import Severity
    from auditproof.audit.decide import Decision
    from auditproof.audit.event import Stage
    from auditproof.errors import Position
    from auditproof.kube.attributes import Attributes


@dataclass(frozen=True, slots=True)
class ShownRequest:
    """A concrete request that demonstrates a finding, and the policy's Decision about it.

    ``attributes`` are the request as the policy sees it; ``served`` is false if the server responds with 404 or 405
    whoever sends it.
    """

    attributes: Attributes
    decision: Decision
    served: bool = True

    @property
    def line(self) -> tuple[str, str]:
        """Method and URI of the request."""
        return request_line(self.attributes)

    def __str__(self) -> str:
        method, uri = self.line
        refused = "" if self.served else ", which the server does not serve"
        user = self.attributes.user
        if user is None:
            who = "with a rejected credential"
        else:
            who = f"as {user.name} ({', '.join(user.groups)})" if user.groups else f"as {user.name}"
        return f"{method} {uri} {who}{refused}: {self._effect()}"

    @property
    def level(self) -> Level:
        """The level at which the request is recorded: NONE also if all its stages are omitted."""
        return self.decision.level if self._stages() else Level.NONE

    def _stages(self) -> frozenset[Stage]:
        return emitted_stages(self.attributes, 200) - self.decision.omit_stages

    def _effect(self) -> str:
        omitted = self.decision.level is not Level.NONE and not self._stages()
        why = f", because all its stages are omitted at {self.decision.level}" if omitted else ""
        effect = "not recorded" if self.level is Level.NONE else f"recorded at {self.level}"
        if self.decision.rule is None:
            return f"{effect}, no rule matches"
        return f"{effect} by rule {self.decision.rule.index + 1} (line {self.decision.rule.position.line}){why}"

    def to_dict(self) -> dict[str, Any]:
        """The request as JSON values."""
        method, uri = self.line
        user, rule = self.attributes.user, self.decision.rule
        return {
            "method": method,
            "uri": uri,
            "user": None if user is None else {"name": user.name, "groups": list(user.groups)},
            "served": self.served,
            "level": str(self.level),
            "rule": None if rule is None else rule.index + 1,
            "line": None if rule is None else rule.position.line,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, or fact worth knowing, at one position of a policy.

    ``code`` is a key of the catalogue (docs/lint.md), ``advice`` says what to do, and ``shown`` is a request that shows
    the problem, if there is one. ``kubernetes`` are the minor versions that it is about, where several were examined
    and it is not about all of them; its message says so, too.

    >>> from auditproof import lint, load_served, parse_policy
    >>> text = b'{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "None"}]}'
    >>> finding = lint(parse_policy(text, "policy.json"), load_served("1.37"))[0]
    >>> finding.code, str(finding.severity), str(finding.position)
    ('AP205', 'error', 'policy.json:1:53')
    """

    code: str
    position: Position
    message: str
    advice: str
    shown: ShownRequest | None = None
    kubernetes: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """The severity of its code."""
        return CATALOGUE[self.code].severity

    @property
    def name(self) -> str:
        """The name of its code, e.g. ``unreachable-rule``."""
        return CATALOGUE[self.code].name

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "code": self.code,
            "name": self.name,
            "severity": str(self.severity),
            "path": self.position.path,
            "line": self.position.line,
            "column": self.position.column,
            "message": self.message,
            "advice": self.advice,
            "request": self.shown.to_dict() if self.shown else None,
            **({"kubernetes": list(self.kubernetes)} if self.kubernetes else {}),
        }


@dataclass(frozen=True, slots=True)
class Ignored:
    """A finding that a comment in the policy suppresses, with the reason given there."""

    finding: Finding
    reason: str
