"""FedRules: what a policy does to a set of detection rules, with what could not be read, and whether that fails."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.detections import Feed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditproof.audit.policy.load import Policy
    from auditproof.detections import Fed, NotRead

NOT_READ = "NOT READ"
WORST_LAST = (Feed.FED, Feed.IMPOSSIBLE, Feed.PARTLY, Feed.BLIND)  # for a reader who can do something about it


class Worse(StrEnum):
    """What makes the check fail: BLIND rules, also PARTLY fed ones, or those that a change takes requests from."""

    BLIND = "blind"
    PARTLY = "partly"
    LOST = "lost"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class FedRules:
    """The results for one policy, and for the ``base`` before a change; ``others`` are rules about other logs."""

    policy: Policy
    base: Policy | None
    kubernetes: str
    rules: tuple[Fed, ...]
    not_read: tuple[NotRead, ...]
    others: int = 0

    def of(self, feed: Feed) -> list[Fed]:
        """The rules that the policy feeds so."""
        return [one for one in self.rules if one.feed is feed]

    @property
    def worse(self) -> list[Fed]:
        """The rules that the change takes requests from."""
        return [one for one in self.rules if one.worse]

    def bad_first(self) -> list[Fed]:
        """The rules, first those that the change takes requests from, then BLIND ones, PARTLY fed ones, and others."""
        return sorted(self.rules, key=lambda one: (not one.worse, -WORST_LAST.index(one.feed)))

    def failing(self, fail_on: Worse) -> list[Fed]:
        """The rules that make the check fail."""
        if fail_on is Worse.LOST:
            return self.worse
        feeds = {Worse.BLIND: {Feed.BLIND}, Worse.PARTLY: {Feed.BLIND, Feed.PARTLY}}.get(fail_on, set())
        return [one for one in self.rules if one.feed in feeds]

    def sentences(self) -> Iterator[str]:
        """The result in sentences: how many rules are fed, and what the change does to them."""
        every = len(self.rules)
        counts = {feed: len(self.of(feed)) for feed in Feed}
        yield (
            f"{self.policy.path} feeds {counts[Feed.FED]} of {every} detection rules on Kubernetes "
            f"{self.kubernetes}{others_text(counts, len(self.not_read))}."
        )
        if self.base:
            yield change_sentence(len(self.worse), len([one for one in self.worse if one.feed is Feed.BLIND]), every)


def others_text(counts: Mapping[Feed, int], not_read: int) -> str:
    """How many rules are not fed, behind how many are; empty if there are none."""
    bad = {**{str(feed): counts[feed] for feed in (Feed.PARTLY, Feed.BLIND, Feed.IMPOSSIBLE)}, NOT_READ: not_read}
    more = ", ".join(f"{count} {name}" for name, count in bad.items() if count)
    return f"; {more}" if more else ""


def change_sentence(worse: int, blinded: int, every: int) -> str:
    """What a change does to detection rules, in a sentence.

    >>> from auditproof.report.detections.fed_rules import change_sentence
    >>> change_sentence(3, 1, 94)
    'The change takes requests from 3 of 94 detection rules and blinds 1 of them.'
    """
    if not worse:
        return f"The change takes no request from any of {every} detection rules."
    if blinded == worse:
        return f"The change blinds {blinded} of {every} detection rules."
    rest = f" and blinds {blinded} of them" if blinded else ""
    return f"The change takes requests from {worse} of {every} detection rules{rest}."
