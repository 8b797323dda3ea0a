"""Reads apiserver_request_total out of a Prometheus text exposition: which requests an API server has handled.

Source: staging/src/k8s.io/apiserver/pkg/endpoints/metrics/metrics.go.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE = re.compile(
    r"(?P<name>apiserver_request_total|apiserver_audit_level_total|process_start_time_seconds)"
    r'(?:\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?\s*'
)
_LABEL = re.compile(r'\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Series:
    """The labels of apiserver_request_total that a policy can depend on, as the server writes them."""

    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    scope: str
    code: int

    def __str__(self) -> str:
        """Such as ``LIST deployments.apps (namespace)``."""
        if not self.resource:
            return f"{self.verb} {self.subresource or '/'}"
        full = f"{self.resource}.{self.group}" if self.group else self.resource
        full += f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} {full} ({self.scope})"


@dataclass(frozen=True, slots=True)
class Counters:
    """The requests that a server has handled; ``evaluations`` is how often it evaluated its policy (0: no auditing).

    ``started`` is when the process began, in seconds since 1970, or 0 if that is unknown.
    """

    requests: Mapping[Series, int]
    evaluations: int
    started: float

    def since(self, earlier: Counters) -> Counters:
        """What was counted after ``earlier``. Raises AuditproofError if the server has restarted meanwhile."""
        found = {series: number - earlier.requests.get(series, 0) for series, number in self.requests.items()}
        if self.started != earlier.started or min(found.values(), default=0) < 0:
            raise AuditproofError("the two dumps are not of one process: the API server has restarted between them")
        kept = {series: number for series, number in found.items() if number}
        return Counters(kept, self.evaluations - earlier.evaluations, self.started)


def read_counters(text: str, name: str) -> Counters:
    """Read the counters; ``name`` is what messages call the text.

    Raises AuditproofError, with the line, if it has no apiserver_request_total or a line cannot be read.
    """
    requests: Counter[Series] = Counter()
    evaluations, started = 0, 0.0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith(("apiserver_request_total", "apiserver_audit_level_total", "process_start_time_sec")):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            if line.startswith(("apiserver_request_total_", "apiserver_audit_level_total_")):
                continue
            raise AuditproofError(f"{name}:{number}: not a line of Prometheus' text format: {line[:60]!r}")
        value = _number(found["value"], f"{name}:{number}")
        if found["name"] == "apiserver_request_total":
            requests[_series(found["labels"] or "", f"{name}:{number}")] += int(value)
        elif found["name"] == "apiserver_audit_level_total":
            evaluations += int(value)
        else:
            started = value
    if not requests:
        raise AuditproofError(
            f"{name}: it has no apiserver_request_total; expected the metrics of an API server "
            "(kubectl get --raw /metrics)"
        )
    return Counters(requests, evaluations, started)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise AuditproofError(f"{where}: {text[:40]!r} is not the value of a counter")
    return value


def _series(text: str, where: str) -> Series:
    labels = {found[1]: _ESCAPE.sub(r"\1", found[2]) for found in _LABEL.finditer(text)}
    if "verb" not in labels or "code" not in labels:
        raise AuditproofError(f"{where}: apiserver_request_total without the labels verb and code")
    code = int(labels["code"]) if labels["code"].isdigit() else 0
    verb, group, version, resource, subresource, scope = (
        labels.get(name, "") for name in ("verb", "group", "version", "resource", "subresource", "scope")
    )
    return Series(verb, group, version, resource, subresource, scope, code)
