"""Which detection rules fired on the events that servers recorded, in a word and a sentence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.detections import Feed
from auditproof.proof.verdict import Outcome
from auditproof.report.log_lines import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.report.model import DetectionRecord, DetectionsRecord, ProofRecord, Report
    from auditproof.report.model.detections import Fired


def with_fired(report: Report) -> DetectionsRecord | None:
    """The section ``detections`` with what the proofs show of each rule."""
    if report.detections is None:
        return None
    proofs = {proof.id: proof for proof in report.proofs}
    rules = tuple(one.model_copy(update={"fired": rule_word(one, proofs)}) for one in report.detections.rules)
    return report.detections.model_copy(update={"rules": rules})


def examples_of(rule: DetectionRecord, proofs: dict[str, ProofRecord]) -> list[ProofRecord | None]:
    """The proofs of the rule's examples, without its near misses; None for one that was not reached."""
    found = [proofs.get(name) for name in rule.proofs]
    return [one for one in found if one is None or one.firing is None or not one.firing.miss]


def rule_word(rule: DetectionRecord, proofs: dict[str, ProofRecord]) -> Fired | None:
    """Whether a rule fired on the events of its examples; None if it has none and there is no reason."""
    if not rule.proofs:
        return "NOT FIRED" if rule.not_tried else None
    sent = [one for one in examples_of(rule, proofs) if one is None or one.verdict is not Outcome.NOT_SUPPORTED]
    if not sent:
        return "NOT FIRED"
    results = [one.firing.fired if one and one.firing else None for one in sent]
    if None in results:
        return "UNPROVEN"
    if all(results):
        return "NOT FIRED" if rule.not_tried else "FIRED"  # a step of it has no example
    return "IN PART" if any(results) else "SILENT"


def fired_text(rule: DetectionRecord, proofs: dict[str, ProofRecord]) -> Iterator[str]:
    """What each example shows: the request, and on which event the rule fired or why it did not."""
    for one in examples_of(rule, proofs):
        if one is None:
            yield "it was not sent"
            continue
        request = f"{one.request.method} {one.request.path}"
        if one.firing is not None and one.firing.through:
            request += f", and the request of the {one.firing.through}"
        if one.firing is None or one.firing.fired is None:
            yield f"{request}: {one.verdict}: {'; '.join(one.reasons[:1])}"
        elif one.firing.fired:
            yield f"{request} ({one.firing.level}, {one.firing.stage})"
        else:
            yield f"{request}: {one.firing.silence}"
    yield from (f"not sent: {reason}" for reason in rule.not_tried)


def fired_sentence(rules: Sequence[DetectionRecord]) -> str:
    """How many rules fired on the server, in a sentence; empty if no example was sent."""
    fired = [one.fired for one in rules if one.fired]
    if not fired:
        return ""
    counts = {
        "silent": sum(1 for one in fired if one == "SILENT"),
        "in part": sum(1 for one in fired if one == "IN PART"),
        "not shown": sum(1 for one in fired if one == "UNPROVEN"),
        "not tried": sum(1 for one in rules if one.fired == "NOT FIRED" and one.feed != Feed.IMPOSSIBLE),
    }
    others = "".join(f", {count} {name}" for name, count in counts.items() if count)
    return f" On the server, {counted(fired.count('FIRED'), 'rule')} fired{others}."


def unfired_lines(report: Report) -> list[str]:
    """The rules that some event can match and of which no example was sent, and those that are fed and silent: why."""
    rules = report.detections.rules if report.detections else ()
    proofs = {proof.id: proof for proof in report.proofs}
    untried = [one for one in rules if one.fired == "NOT FIRED" and one.feed != Feed.IMPOSSIBLE and one.not_tried]
    silent = [one for one in rules if one.fired in ("SILENT", "IN PART") and one.feed == Feed.FED]
    return [
        *(f"{one.title}: fed, but silent: {next(fired_text(one, proofs), '')}" for one in silent),
        *(f"{one.title}: not fired: {'; '.join(one.not_tried)}" for one in untried),
    ]
