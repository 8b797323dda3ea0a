"""Requests with their events, before and after a change or as computed and recorded: what a reader remembers. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level
from auditproof.proof.verdict import Outcome
from auditproof.report.faithful import judged_by_given
from auditproof.report.gate import forbidden_text
from auditproof.report.headline import worst_first
from auditproof.report.html.fitting import clipped
from auditproof.report.matrix import identity_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditproof.report.change import ChangeShown
    from auditproof.report.model import ProofRecord, Report

MOST = 3
BODY_LINES = 9
LINE, REQUEST = 58, 100  # letters of a line of an event, in half a printed page, and of its request
OF = 70  # letters of the forbidden change that a request belongs to
_BODIES = ("requestObject", "responseObject")
_NO_BODY = {"requestObject": "what was sent", "responseObject": "what was returned"}


@dataclass(frozen=True, slots=True)
class EventLine:
    """A line of an event, and whether the other side has no such line."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Side:
    """The event on one side; without ``lines`` there is none."""

    name: str
    policy: str
    proof: str
    lines: tuple[EventLine, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A request in words, and its last event on either server; ``of`` is the forbidden change that it belongs to."""

    title: str
    of: str
    request: str
    sides: tuple[Side, Side]

    @property
    def height(self) -> float:
        """How many printed lines it takes: that of the longer side, in small print, with the request above it."""
        asked = -(-len(f"{self.of} {self.request}") // REQUEST)
        return max(1, *(len(side.lines) for side in self.sides)) * 0.79 + 1.9 + asked


def examples(rows: Iterable[ChangeShown], report: Report) -> list[Example]:
    """Up to MOST examples of the change, or else of what the given policy records; none that no server has shown."""
    forbidden = _forbidden(report)
    pairs = sorted(_pairs(rows, report), key=lambda pair: (not forbidden.get(pair[1].id, ""), not _differs(*pair)))
    return [_of_a_change(*pair, forbidden.get(pair[1].id, "")) for pair in pairs[:MOST]] or [
        _of_the_policy(proof) for proof in _telling(report)
    ]


def _forbidden(report: Report) -> dict[str, str]:
    """What happens to the requests of proofs with the given policy: only of what nobody has acknowledged."""
    return {
        one.proofs.new: forbidden_text(one)
        for one in reversed(report.gate.forbidden if report.gate else ())
        if one.proofs.new and not one.acknowledged
    }


def _pairs(rows: Iterable[ChangeShown], report: Report) -> Iterable[tuple[ProofRecord, ProofRecord]]:
    """The proofs of the changes, old and new: first of what is forbidden and nobody has acknowledged."""
    proofs = {proof.id: proof for proof in report.proofs}
    gated = sorted(report.gate.forbidden if report.gate else (), key=lambda one: one.acknowledged)
    pairs = [(proofs.get(one.proofs.old), proofs.get(one.proofs.new)) for one in gated]
    found: dict[str, tuple[ProofRecord, ProofRecord]] = {}
    for old, new in [*pairs, *((row.old, row.new) for row in rows)]:
        if old and new and old.audit_id and new.audit_id:
            found.setdefault(new.id, (old, new))
    return found.values()


def _of_a_change(old: ProofRecord, new: ProofRecord, forbidden: str) -> Example:
    before, after = (list(_lines(proof.events)) for proof in (old, new))
    return Example(
        title="Real requests, before and after the change",
        of=f"forbidden: {clipped(forbidden, OF)}" if forbidden else "",
        request=_asked(new),
        sides=(
            Side("before", old.policy.path, old.id, tuple(_marked(before, after))),
            Side("after", new.policy.path, new.id, tuple(_marked(after, before))),
        ),
    )


def _telling(report: Report) -> list[ProofRecord]:
    """The worst violations of the given policy; otherwise, of each level the request of which most is recorded."""
    performed = [proof for proof in judged_by_given(report) if proof.audit_id and proof.verdict is not Outcome.UNPROVEN]
    violated = worst_first(proof for proof in performed if proof.verdict is Outcome.VIOLATED)
    by_level = {proof.observed.level: proof for proof in sorted(performed, key=_amount)}
    return violated[:MOST] or list(reversed(by_level.values()))[:MOST]


def _of_the_policy(proof: ProofRecord) -> Example:
    expected = proof.expected
    decided = [f"level: {expected.level}", f"stages: {', '.join(expected.stages) or 'none'}", *_deciding(proof)]
    wrong = proof.verdict is Outcome.VIOLATED
    shown = [
        EventLine(_cut(line), wrong and line.startswith("level: ") and line not in decided)
        for line in _lines(proof.events)
    ]
    return Example(
        title="Real requests: what was to be recorded, and what was",
        of="",
        request=_asked(proof),
        sides=(
            Side("expected", proof.policy.path, proof.id, tuple(EventLine(_cut(line), False) for line in decided)),
            Side("recorded", "", proof.id, tuple(shown)),
        ),
    )


def _amount(proof: ProofRecord) -> tuple[int, bool, int, str]:
    """How much is recorded of an action: at which level, if it was accepted, and with how many bodies."""
    bodies = sum(body in event for event in proof.events for body in _BODIES)
    return list(Level).index(proof.observed.level or Level.NONE), proof.observed.status < 300, bodies, proof.id


def _deciding(proof: ProofRecord) -> Iterator[str]:
    rule = proof.expected.rule
    yield f"stated by the {proof.expected.source}"
    yield "no rule matches" if rule is None else f"rule {rule + 1} (line {proof.expected.line}) decides"


def _asked(proof: ProofRecord) -> str:
    status = f" → {proof.observed.status}" if proof.observed.status else ""
    asked, by = (
        clipped(f"{proof.request.method or proof.request.verb} {proof.request.path}", 100),
        clipped(identity_text(proof.identity), 60),
    )
    return f"{asked} as {by}{status}"


def _differs(old: ProofRecord, new: ProofRecord) -> bool:
    """Whether an event or a body is on one side only."""
    return _contents(old.events) != _contents(new.events)


def _contents(events: Sequence[Mapping[str, Any]]) -> list[bool]:
    return [bool(events), *(any(body in event for event in events) for body in _BODIES)]


def _lines(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The last event in a few lines: what happened, and the bodies."""
    if not events:
        return
    event = events[-1]
    for key in ("level", "stage", "verb"):
        yield f"{key}: {event.get(key, '')}"
    yield f"user: {_text(event.get('user'), 'username')}"
    about = event.get("objectRef")
    if isinstance(about, dict):
        names = [str(about[key]) for key in ("namespace", "resource", "subresource", "name") if key in about]
        yield f"objectRef: {'/'.join(names)}"
    else:
        yield f"requestURI: {event.get('requestURI', '')}"
    if "responseStatus" in event:
        yield f"responseStatus: {_text(event['responseStatus'], 'code')}"
    for key in _BODIES:
        yield from _body(key, event)


def _text(value: Any, key: str) -> str:
    return str(value.get(key, "")) if isinstance(value, dict) else str(value)


def _body(key: str, event: Mapping[str, Any]) -> Iterator[str]:
    if key not in event:
        yield f"{key}: not recorded ({_NO_BODY[key]})"
        return
    value = (
        {name: part for name, part in event[key].items() if name not in ("kind", "apiVersion")}
        if isinstance(event[key], dict)
        else event[key]
    )
    lines = json.dumps(value, indent=1, ensure_ascii=False).splitlines()
    yield f"{key}: {lines[0]}"
    yield from lines[1:BODY_LINES]
    if len(lines) > BODY_LINES:
        yield f" … {len(lines) - BODY_LINES} more lines"


def _marked(lines: list[str], others: list[str]) -> Iterator[EventLine]:
    known = set(others)
    for line in lines:
        yield EventLine(_cut(line), line not in known)


def _cut(line: str) -> str:
    return line if len(line) <= LINE else f"{line[: LINE - 1]}…"
