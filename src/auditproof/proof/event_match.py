"""Compares an event with the request that was sent: every field that the request determines. Pure.

``contradictions`` are values that an honest server never writes about this request. ``out_of_time`` is separate,
because a clock may jump: it casts doubt on the event and shows nothing about the server.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote

from auditproof.audit.event import Stage
from auditproof.proof.completion import ended_by_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.audit.event import AuditEvent
    from auditproof.client.exchange import Exchange
    from auditproof.proof.clock import Clock

# If the path has none, the server takes them from the body (k8s.io/apiserver pkg/audit/request.go LogRequestObject).
_FILLED_IN = {"namespace", "name"}
USER_AGENT_LIMIT = 1024  # pkg/audit/request.go, maxUserAgentLength
_CUT = "...TRUNCATED"


def contradictions(event: AuditEvent, exchange: Exchange) -> Iterator[str]:
    """The differences between the event and the request that was sent, as sentences."""
    yield from _user(event, exchange)
    yield from _impersonated(event, exchange)
    yield from _target(event, exchange)
    yield from _client(event, exchange)
    yield from _answer(event, exchange)


def _differs(what: str, found: object, sent: object) -> str:
    return f"the event names {what} {found!r}, auditproof computed {sent!r} from the request"


def _user(event: AuditEvent, exchange: Exchange) -> Iterator[str]:
    attributes, sent = exchange.attributes, exchange.user
    found = event.raw.get("user") or {}
    name = attributes.user.name if attributes.user else ""
    if found.get("username", "") != name:
        yield _differs("user", found.get("username", ""), name)
        return
    if sent is None or attributes.user is None:  # the other claims of the credential are unknown, or there is no user
        return
    extra = {key: tuple(values) for key, values in (found.get("extra") or {}).items()}
    for what, recorded, wanted in (
        ("groups", tuple(found.get("groups") or ()), sent.groups),
        ("uid", found.get("uid", ""), sent.uid),
        ("extra", extra, dict(sent.extra)),
    ):
        if recorded != wanted:
            yield _differs(what, recorded, wanted)


def _impersonated(event: AuditEvent, exchange: Exchange) -> Iterator[str]:
    """Compare the impersonated user, if the event has one: only an impersonation that was allowed is recorded."""
    asked, found = exchange.identity.impersonates, event.raw.get("impersonatedUser")
    if found is None:
        return
    if asked is None:
        yield f"the event names the impersonated user {found.get('username', '')!r}, but the request impersonates none"
    elif (found.get("username", ""), found.get("uid", "")) != (asked.user, asked.uid):
        yield _differs("impersonated user", (found.get("username", ""), found.get("uid", "")), (asked.user, asked.uid))


def _target(event: AuditEvent, exchange: Exchange) -> Iterator[str]:
    attributes, found = exchange.attributes, event.raw.get("objectRef") or {}
    if event.raw.get("verb", "") != attributes.verb:
        yield _differs("verb", event.raw.get("verb", ""), attributes.verb)
    for key, value in (
        ("resource", attributes.resource),
        ("subresource", attributes.subresource),
        ("apiGroup", attributes.api_group),
        ("namespace", attributes.namespace),
        ("name", attributes.name),
        ("apiVersion", attributes.api_version),
    ):
        if found.get(key, "") != value and (value or key not in _FILLED_IN):
            yield _differs(key, found.get(key, ""), value)
    if not attributes.resource_request and found:
        yield f"the event has an objectRef ({found}), but the request is not for a resource"
    # The server records url.RequestURI(), which may escape the path in another way than the client did.
    recorded = event.raw.get("requestURI", "")
    if recorded != exchange.request.uri and unquote(recorded) != unquote(exchange.request.uri):
        yield _differs("requestURI", recorded, exchange.request.uri)


def _client(event: AuditEvent, exchange: Exchange) -> Iterator[str]:
    if exchange.user_agent is not None:
        agent = exchange.user_agent
        agent = f"{agent[:USER_AGENT_LIMIT]}{_CUT}" if len(agent) > USER_AGENT_LIMIT else agent
        if event.raw.get("userAgent", "") != agent:
            yield _differs("userAgent", event.raw.get("userAgent", ""), agent)
    claimed, found = claimed_addresses(exchange.request.headers), list(event.raw.get("sourceIPs") or ())
    if exchange.client:
        # SourceIPs appends the address of the connection, unless that is the last one already.
        wanted = claimed if claimed[-1:] == [exchange.client] else [*claimed, exchange.client]
        if found != wanted:
            yield _differs("sourceIPs", found, wanted)
    elif found[: len(claimed)] != claimed:  # a proxy or balancer in between may add its own addresses
        yield _differs("sourceIPs", found, [*claimed, "..."])


def claimed_addresses(headers: Sequence[tuple[str, str]]) -> list[str]:
    """The addresses in the headers of a request, as the server reads them.

    Source: SourceIPs in k8s.io/apimachinery pkg/util/net/http.go.
    """
    forwarded, real = _header(headers, "x-forwarded-for"), _header(headers, "x-real-ip")
    found = [address for part in forwarded.split(",") if (address := _address(part.strip()))]
    if (address := _address(real)) and address not in found:
        found.append(address)
    return found


def _header(headers: Sequence[tuple[str, str]], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def _address(text: str) -> str:
    """An address as Go prints it, or an empty text if it is not one; unlike Python, Go allows leading zeros."""
    if "." in text and ":" not in text:
        text = ".".join(part.lstrip("0") or part[:1] for part in text.split("."))
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _answer(event: AuditEvent, exchange: Exchange) -> Iterator[str]:
    """Compare the status code, if the client has seen the server's own response.

    A time-out is not compared, because its handler goes on; nor is a switch of protocol, because then the response is
    the kubelet's, and 101 is recorded before it is known. A panic is recorded with 500, whatever was sent before it
    (staging/src/k8s.io/apiserver/pkg/endpoints/filters/audit.go).
    """
    status = event.raw.get("responseStatus") or {}
    if event.stage is Stage.REQUEST_RECEIVED:
        if status:
            yield f"the event at stage RequestReceived has a responseStatus ({status.get('code')}): there was none yet"
        return
    if exchange.status in (0, 504) or exchange.request.upgrade or exchange.request.hangs_up:
        return
    if event.stage is Stage.PANIC:
        if status.get("code") != 500:
            yield f"the event at stage Panic has code {status.get('code')}: a server writes 500 at this stage"
    elif status.get("code") != exchange.status:
        yield f"the event has code {status.get('code')}, but the response had {exchange.status}"


def out_of_time(events: Sequence[AuditEvent], exchange: Exchange, clock: Clock) -> Iterator[str]:
    """Why the events' timestamps do not fit this exchange.

    ``clock`` bounds how far the server's clock is ahead of the client's. A stage is reached after the one before it.
    """
    begun, ended = exchange.started + clock.least, exchange.finished + clock.most
    before: datetime | None = None
    for event in events:
        received, reached = time_of(event, "requestReceivedTimestamp"), time_of(event, "stageTimestamp")
        if received is None or reached is None:
            yield f"the event at stage {event.stage} has no timestamps"
            continue
        # Without a status the client had given up, perhaps before the server received the request.
        if not begun <= received <= ended and exchange.status:
            yield (
                f"the event at stage {event.stage} is of a request received at {received.isoformat()}, "
                f"but this one was sent between {begun.isoformat()} and {ended.isoformat()}"
            )
        elif reached > ended and ended_by_server(exchange):
            yield f"the event at stage {event.stage} is of {reached.isoformat()}, after the response had ended"
        if reached < received or (before is not None and reached < before):
            yield f"the event at stage {event.stage} is older than the one before it"
        before = reached


def time_of(event: AuditEvent, field: str) -> datetime | None:
    """A timestamp of the event (RFC 3339 in UTC with microseconds); None if there is none."""
    try:
        found = datetime.fromisoformat(str(event.raw[field]))
    except (KeyError, ValueError):
        return None
    return found if found.tzinfo else None


def offset_of(event: AuditEvent, sent: datetime, answered: datetime) -> tuple[timedelta, timedelta] | None:
    """The least and most that the server's clock is ahead, by one event of a request; None without a timestamp."""
    received = time_of(event, "requestReceivedTimestamp")
    return (received - answered, received - sent) if received else None
