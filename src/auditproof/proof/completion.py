"""Whether a request is over, so that no further event of it can follow: shown by its response, the log or the server.

Most requests are over when their response ends, or when a follow-up request on their connection is answered. Exceptions
are streams that were switched to or hung up on, whose connection is gone, and requests answered with 504 while the
handler continues (k8s.io/apiserver pkg/server/filters/timeout.go). Two things show the end of these. ResponseComplete
(or Panic) is the last event of any request. And the server's own request log gets a line about a request once
everything behind that filter, the audit included, has returned (pkg/server/httplog; for requests that are not
long-running only once the time-out filter has returned, which does not wait for the handler). Pure.
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
    from auditproof.cases.expectation import Followed
    from auditproof.client.exchange import Exchange

# Up to this size net/http itself sets Content-Length, after the handler has returned. A larger one was declared by the
# handler, which may then still run (net/http server.go: bufferBeforeChunkingSize).
OWN_CONTENT_LENGTH = 2048
LAST = {Stage.RESPONSE_COMPLETE, Stage.PANIC}


def ended_by_server(exchange: Exchange) -> bool:
    """Whether the end of the response itself shows that the server has finished the request.

    True for a response that net/http ended after the handler had returned: chunked, or so short that net/http counted
    it itself. False for a time-out, and if another protocol was requested or switched to: that response may be the
    kubelet's, which the handler passes on before it returns (apimachinery pkg/util/proxy/upgradeaware.go tryUpgrade).
    """
    request = exchange.request
    if exchange.error or request.hangs_up or request.upgrade or request.method == "HEAD":
        return False
    if exchange.status in (0, 101, 504):
        return False
    length = exchange.header("Content-Length")
    return not length or int(length) <= OWN_CONTENT_LENGTH


def runs_on(exchange: Exchange) -> bool:
    """Whether the request may still run although the server accepts another one on its connection."""
    return exchange.status == 504


def is_over(exchange: Exchange, events: Iterable[AuditEvent], request_log: str) -> bool:
    """Whether the events of the request, or the server's own request log, show that it is over."""
    if any(event.stage in LAST for event in events):
        return True
    line = rf'"HTTP" [^\n]*audit-ID="{re.escape(exchange.audit_id)}"'
    return is_long_running(exchange.attributes) and re.search(line, request_log) is not None


def audit_id_of(followed: Followed, request_log: str) -> str | None:
    """The Audit-ID of a controller's request that was accepted and is over, as the server's own log shows it.

    The line is written once the request is over, its audit included; so all its events were written before.
    """
    line = (
        rf'"HTTP" verb="POST" URI="{re.escape(followed.uri)}(?:\?[^"]*)?" [^\n]*'
        rf'userAgent="[^"\n]*[:/]{re.escape(followed.controller)}"(?: \w+="[^"\n]*")* '
        r'audit-ID="([^"\n]+)"[^\n]* resp=201\b'
    )
    found = re.search(line, request_log)
    return found[1] if found else None


def end_shows(exchange: Exchange, decision: Decision, *, logs: bool) -> bool:
    """Whether the end of a request can be seen at all; ``logs``: there is a request log."""
    if exchange.error:
        return False
    recorded = decision.level is not Level.NONE and Stage.RESPONSE_COMPLETE not in decision.omit_stages
    return recorded or (logs and is_long_running(exchange.attributes))


def why_open(exchange: Exchange) -> str:
    """Why the absence of events proves nothing while the request is not seen to be over."""
    if exchange.status == 504:
        return "it was answered 504, and its handler may still run: its last event may come later"
    if exchange.request.hangs_up:
        return "its client hung up, and nothing shows that the server has finished it: an event may come later"
    return "its connection ended before a follow-up request could show that the server had finished it"
