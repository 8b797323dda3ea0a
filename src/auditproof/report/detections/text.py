"""Detection rules for people: those that are not fed, with the requests that they lose and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.detections import Feed, needed_text, recorded_text, remedy_text, request_text
from auditproof.report.detections.fed_rules import NOT_READ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.detections import Fed, Lost
    from auditproof.report.detections.fed_rules import FedRules

FEW = 3  # requests of a rule that are shown unless all are asked for
_WIDTH = 10


def as_text(found: FedRules, *, every: bool = False) -> str:
    """The result in a sentence, the rules that are not fed, and with ``every`` also the others and all requests."""
    lines = list(found.sentences())
    shown = [one for one in found.bad_first() if every or one.feed is not Feed.FED or one.worse]
    for one in shown:
        lines += ["", *_rule(one, FEW if not every else len(one.lost))]
    for left in found.not_read:
        lines += ["", f"{NOT_READ}  {left.title} ({left.pack}; {left.position.path}:{left.position.line})"]
        lines += [f"  {'reason':<{_WIDTH}}{left.reason}"]
    if found.others:
        lines += ["", f"{found.others} rules there read another log, and are not checked."]
    if fed := len(found.rules) - len(shown):
        lines += ["", f"{fed} fed {'rule is' if fed == 1 else 'rules are'} not listed (--all lists each)."]
    return "\n".join(lines)


def _rule(one: Fed, shown: int) -> Iterator[str]:
    rule = one.detection
    severity = f"{rule.severity}; " if rule.severity else ""
    was = f" (before: {one.base})" if one.base and one.base is not one.feed else ""
    yield f"{one.feed:<8}  {rule.title}{was} ({rule.pack}; {severity}{rule.position.path}:{rule.position.line})"
    for remark in rule.remarks:
        yield f"  {'note':<{_WIDTH}}{remark}"
    if one.feed is Feed.IMPOSSIBLE:
        yield f"  {'never':<{_WIDTH}}{one.why_never}"
    if one.witness and one.values:
        yield f"  {'sees':<{_WIDTH}}{request_text(one.witness, one.values)}"
    for lost in one.lost[:shown]:
        yield from _lost(lost)
    if len(one.lost) > shown:
        yield f"  ... and {len(one.lost) - shown} more kinds of requests (--all lists them)"


def _lost(lost: Lost) -> Iterator[str]:
    yield f"  {'loses' if not lost.partly else 'in part':<{_WIDTH}}{lost.text}{' (new)' if lost.new else ''}"
    if lost.through:
        yield f"    {'through':<{_WIDTH}}controllers, for objects of {', '.join(lost.through)}"
    yield f"    {'policy':<{_WIDTH}}{recorded_text(lost)}"
    yield f"    {'needs':<{_WIDTH}}{needed_text(lost.needs)}"
    yield f"    {'example':<{_WIDTH}}{request_text(lost.witness, lost.values)}"
    yield f"    {'remedy':<{_WIDTH}}{remedy_text(lost)}"
