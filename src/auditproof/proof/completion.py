"""When a request is over, so that no further event of it can come: what its answer shows, the log, or the server. Pure.

Most requests are over when their answer ends, or when a follow-up request on their connection is answered. Not these:
a stream that was switched to or hung up on, whose connection is gone; a request that was answered 504 while its handler
goes on (k8s.io/apiserver pkg/server/filters/timeout.go). Two things show their end all the same. ResponseComplete (or
Panic) is the last event of any request, so where it stands in the log there will be no other. And the server's own
request log has a line about a request once everything below that filter, the audit included, has returned (pkg/server/
httplog; of a request that is not long-running only once the time-out filter has, which does not wait for the rest).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditproof.audit.event import Level, Stage
from auditproof.kube.attributes import is_long_running

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.audit.decide import Decision
    from auditproof.audit.event import AuditEvent
    from auditproof.client.exchange import Exchange

# A body of up to this size gets its Content-Length from net/http itself, after the handler has returned; a longer one
# was declared by the handler, which then still runs (net/http server.go: bufferBeforeChunkingSize).
OWN_CONTENT_LENGTH = 2048
LAST = {Stage.RESPONSE_COMPLETE, Stage.PANIC}


def ended_by_server(exchange: Exchange) -> bool:
    """Whether the end of the answer itself shows that the server was done with the request.

    True for an answer that net/http ended after the handler had returned: chunked, or short enough for net/http to
    count it itself; not for a time-out, and not where another protocol was switched to or asked for: that answer may
    be the kubelet's, which the handler passes on before it returns (apimachinery pkg/util/proxy/upgradeaware.go
    tryUpgrade).
    """
    request = exchange.request
    if exchange.error or request.hangs_up or request.upgrade or request.method == "HEAD":
        return False
    if exchange.status in (0, 101, 504):
        return False
    length = exchange.header("Content-Length")
    return not length or int(length) <= OWN_CONTENT_LENGTH


def runs_on(exchange: Exchange) -> bool:
    """Whether the request may still run although the server is ready for another one on its connection."""
    return exchange.status == 504


def is_over(exchange: Exchange, events: Iterable[AuditEvent], request_log: str) -> bool:
    """Whether the events of the request, or the server's own request log, show that it is over."""
    if any(event.stage in LAST for event in events):
        return True
    line = rf'"HTTP" [^\n]*audit-ID="{re.escape(exchange.audit_id)}"'
    return is_long_running(exchange.attributes) and re.search(line, request_log) is not None


def end_shows(exchange: Exchange, decision: Decision, *, logs: bool) -> bool:
    """Whether the end of a request can show at all; ``logs``: there is a request log."""
    if exchange.error:
        return False
    recorded = decision.level is not Level.NONE and Stage.RESPONSE_COMPLETE not in decision.omit_stages
    return recorded or (logs and is_long_running(exchange.attributes))


def why_open(exchange: Exchange) -> str:
    """Why nothing that is absent can be relied on while the request is not seen to be over."""
    if exchange.status == 504:
        return "it was answered 504, and its handler may still run: its last event may come later"
    if exchange.request.hangs_up:
        return "its client hung up, and the server was not seen to be done with it: an event may come later"
    return "its connection ended before a follow-up request could show that the server was done with it"
