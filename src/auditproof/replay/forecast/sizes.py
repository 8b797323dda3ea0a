"""How large events are, by what was asked: measured in a log that has bodies, or the sizes that are shipped."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level, Stage
from auditproof.audit.event_form import check_event, decode
from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditproof.kube.attributes import Attributes

SHIPPED = Path(__file__).with_name("sizes.json")
_RESPONSE_BODIES = 1.0


@dataclass(frozen=True, slots=True)
class Size:
    """The mean bytes of an event: its line at RequestReceived and at later stages without bodies, and its bodies.

    A body is None if no event with one was measured.
    """

    received: float
    later: float
    request: float | None
    response: float | None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes by kind of request, such as ``update leases.coordination.k8s.io``, by verb, and of all together.

    ``origin`` says where they were measured.
    """

    by_kind: Mapping[str, Size]
    origin: str

    def of(self, request: Attributes) -> tuple[Size, bool]:
        """The size of an event about a request, and whether it was measured for this kind of request."""
        found = self.by_kind.get(kind_of(request))
        if found is not None:
            return found, True
        return self.by_kind.get(request.verb) or self.by_kind[""], False


def kind_of(request: Attributes) -> str:
    """The kind of a request: verb and resource, or verb and path."""
    if not request.resource_request:
        return f"{request.verb} {request.path}"
    full = f"{request.resource}.{request.api_group}" if request.api_group else request.resource
    return f"{request.verb} {full}{f'/{request.subresource}' if request.subresource else ''}"


def bytes_of(size: Size, level: Level, stage: Stage) -> float:
    """The mean bytes of one event at this level and stage."""
    if level is Level.NONE:
        return 0.0
    if stage is Stage.REQUEST_RECEIVED:
        return size.received
    request = size.request or 0.0 if level >= Level.REQUEST else 0.0
    response = size.response or 0.0 if level is Level.REQUEST_RESPONSE and stage is not Stage.RESPONSE_STARTED else 0.0
    return size.later + request + response


def shipped_sizes() -> Sizes:
    """The sizes that come with auditproof; their origin is in the file."""
    raw = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return Sizes({kind: Size(*numbers) for kind, numbers in raw["sizes"].items()}, raw["origin"])


class _Sum:
    """Sums over the events of a kind: bytes and number of each part."""

    def __init__(self) -> None:
        self.received, self.later, self.request, self.response = [0, 0], [0, 0], [0, 0], [0, 0]

    def size(self, otherwise: Size | None) -> Size:
        later = _mean(self.later) or (otherwise.later if otherwise else 0.0)
        received = _mean(self.received) or (otherwise.received if otherwise else later)
        return Size(received, later, _mean(self.request), _mean(self.response))


def _mean(pair: list[int]) -> float | None:
    return round(pair[0] / pair[1], 1) if pair[1] else None


def measured_sizes(lines: Iterable[bytes], name: str) -> Sizes:
    """Measure the sizes in a log of JSON lines, as an API server writes it; ``name`` is what messages call it.

    Raises AuditproofError, with the line, if one is no event, or if there is none.
    """
    from auditproof.proof.offline import asked_by

    sums: defaultdict[str, _Sum] = defaultdict(_Sum)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            raw = decode(line)
            check_event(raw)
        except ValueError as error:
            raise AuditproofError(f"{name}:{number}: not an audit event: {error}") from None
        asked = asked_by(raw)
        # A mean of errors says nothing about the others.
        if raw.get("responseStatus", {}).get("code", 200) < 400:
            for kind in (kind_of(asked), asked.verb, ""):
                _add(sums[kind], raw, len(line))
    if not sums:
        raise AuditproofError(f"{name}: it has no events of successful requests, so no sizes can be measured")
    all_of_them = sums[""].size(None)
    return Sizes({kind: one.size(all_of_them) for kind, one in sorted(sums.items())}, f"measured in {name}")


def _add(found: _Sum, raw: dict[str, Any], length: int) -> None:
    level, stage = Level(raw["level"]), raw["stage"]
    request, response = (_length(raw, key) for key in ("requestObject", "responseObject"))
    bare = found.received if stage == Stage.REQUEST_RECEIVED else found.later
    bare[0] += length - request - response
    bare[1] += 1
    if stage == Stage.RESPONSE_COMPLETE and level >= Level.REQUEST:
        found.request[0] += request
        found.request[1] += 1
    if stage == Stage.RESPONSE_COMPLETE and level is Level.REQUEST_RESPONSE:
        found.response[0] += response
        found.response[1] += 1


def _length(raw: dict[str, Any], key: str) -> int:
    """The bytes of a body in a line, with its key."""
    if raw.get(key) is None:
        return 0
    text = json.dumps(raw[key], ensure_ascii=False, separators=(",", ":"))
    # Go writes these three as six characters.
    return len(text.encode()) + 5 * sum(map(text.count, "&<>")) + len(f',"{key}":')
