"""Which detection rules the policy feeds, and what the change takes from them: a statement of a report. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.detections import Feed
from auditproof.report.detections.fed_rules import NOT_READ, change_sentence, others_text
from auditproof.report.detections.fired import fired_sentence
from auditproof.report.log_lines import counted
from auditproof.report.model import DetectionsStatement
from auditproof.report.requirement_states import named

if TYPE_CHECKING:
    from auditproof.report.model import DetectionRecord, LostRecord, Report

BLINDED = "BLINDED"


def blinded(report: Report) -> list[DetectionRecord]:
    """The rules that the change blinds: that some request could have made fire before, and none can now."""
    rules = report.detections.rules if report.detections else ()
    return [one for one in rules if one.worse and one.feed == Feed.BLIND]


def newly_lost(rule: DetectionRecord) -> LostRecord | None:
    """The first kind of requests that the change takes from a rule."""
    return next((lost for lost in rule.lost if lost.new), None)


def blinded_reason(rule: DetectionRecord) -> str:
    """Which requests a change takes from a rule, how they are recorded now, and the least change."""
    lost = newly_lost(rule)
    return f"{lost.requests} by {lost.by}: {lost.recorded}; {lost.remedy}" if lost else "it sees nothing any more"


def detections(report: Report) -> DetectionsStatement:
    """The statement about detection rules; the word is that of the worst rule, or NONE without any."""
    found = report.detections
    if found is None:
        return DetectionsStatement(word="NONE", passes=True, sentence="No detection rule was checked.")
    counts = {feed: sum(1 for one in found.rules if one.feed == feed) for feed in Feed}
    left = len(found.not_read)
    word = next((str(feed) for feed in (Feed.BLIND, Feed.PARTLY) if counts[feed]), NOT_READ if left else str(Feed.FED))
    worse = [one for one in found.rules if one.worse]
    be = "is" if counts[Feed.FED] == 1 else "are"
    change, lost = "", blinded(report)
    if any(one.before for one in found.rules):
        names = f" ({named([one.title for one in lost or worse])})" if worse else ""
        text = change_sentence(len(worse), len(lost), len(found.rules)).removesuffix(".")
        change = f" {text}{names}."
    return DetectionsStatement(
        word=word,
        passes=not (found.forbid_blind and lost),
        sentence=f"{counts[Feed.FED]} of {counted(len(found.rules), 'detection rule')} {be} fed"
        f"{others_text(counts, left)}.{fired_sentence(found.rules)}{change}",
        fed=counts[Feed.FED],
        partly=counts[Feed.PARTLY],
        blind=counts[Feed.BLIND],
        impossible=counts[Feed.IMPOSSIBLE],
        not_read=left,
        fired=sum(1 for one in found.rules if one.fired == "FIRED"),
        silent=sum(1 for one in found.rules if one.fired in ("SILENT", "IN PART")),
        not_fired=sum(1 for one in found.rules if one.fired in ("UNPROVEN", "NOT FIRED")),
        worse=len(worse),
        blinded=len(lost),
    )


def detections_clause(report: Report) -> str:
    """What the change does to detection rules, in a clause of the decision; empty without rules or a base."""
    found = report.detections
    if found is None or not any(one.before for one in found.rules):
        return ""
    lost = blinded(report)
    if not lost:
        return "no detection rule is blinded"
    every = counted(len(found.rules), "detection rule")
    return f"it blinds {len(lost)} of {every} ({named([one.title for one in lost])})"
