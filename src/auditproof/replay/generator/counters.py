"""The metrics of the invented cluster's API server, after a log was generated.

Only requests that reach a handler are counted: not those whose authentication or authorization failed, what an
aggregated API serves, or paths other than health checks and discovery.
Sources: staging/src/k8s.io/apiserver/pkg/endpoints/metrics/metrics.go (MonitorRequest), pkg/endpoints/installer.go,
pkg/server/healthz/healthz.go, pkg/endpoints/discovery/aggregated/handler.go.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditproof.replay.generator.call import Call
    from auditproof.replay.generator.generate import Generator

_AGGREGATED = ("metrics.k8s.io",)
_HEALTH, _DISCOVERY = ("/readyz", "/livez", "/healthz"), ("/api", "/apis", "/openapi/v3")
_CONNECT = {"exec", "attach", "portforward", "proxy", "log"}


def prometheus_text(generator: Generator) -> str:
    """The counters as /metrics has them; the process started when the log begins."""
    begin = generator.settings.begin
    requests: Counter[str] = Counter()
    for key, number in generator.requests.items():
        labels = _labels(generator.calls[key])
        if labels:
            requests[labels] += number
    lines = ["# TYPE apiserver_audit_event_total counter", f"apiserver_audit_event_total {generator.events}"]
    lines.append("# TYPE apiserver_audit_level_total counter")
    lines += [
        f'apiserver_audit_level_total{{level="{level}"}} {number}'
        for level, number in sorted(generator.levels.items(), key=lambda one: str(one[0]))
    ]
    lines.append("# TYPE apiserver_request_total counter")
    lines += [f"apiserver_request_total{{{labels}}} {number}" for labels, number in sorted(requests.items())]
    lines += ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {begin.timestamp()}"]
    return "\n".join(lines) + "\n"


def _labels(call: Call) -> str:
    asked = call.attributes
    if call.decision != "allow" or asked.api_group in _AGGREGATED:
        return ""
    if not asked.resource_request:
        if asked.path not in _HEALTH + _DISCOVERY:
            return ""
        component = "apiserver" if asked.path in ("/api", "/apis") else ""
        part = asked.path if asked.path in _HEALTH else asked.path[1:]
        found = {"code": call.code, "component": component, "scope": "", "subresource": part, "verb": "GET"}
        return _text({"group": "", "resource": "", "version": "", "dry_run": "", **found})
    verb = asked.verb.upper() if asked.verb in ("watch", "list") else call.method
    named = (asked.name and asked.verb not in ("watch", "list")) or asked.verb == "create"
    found = {
        "code": call.code,
        "component": "apiserver",
        "group": asked.api_group,
        "resource": asked.resource,
        "scope": "resource" if named else "namespace" if asked.namespace else "cluster",
        "subresource": asked.subresource,
        "verb": "CONNECT" if asked.subresource in _CONNECT else verb,
        "version": asked.api_version,
    }
    return _text({"dry_run": "", **found})


def _text(labels: dict[str, object]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
