"""What a policy gives up, whether the log has such requests or not: classes of requests, and detection rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.diff import ChangeKind, diff
from auditproof.detections import Feed, check_detections
from auditproof.replay.candidates import with_first

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditproof.analysis.diff import Difference
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.detections import Detection, Fed
    from auditproof.kube.discovery import Served

_LESS = (ChangeKind.STOPS, ChangeKind.LOSES_BODIES, ChangeKind.LOSES_STAGES)
_MORE = (ChangeKind.STARTS, ChangeKind.STARTS_BODIES, ChangeKind.GAINS_STAGES)


def classes(base: Policy, new: Policy, served: Served) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes of requests of which ``new`` records less than ``base``, and those of which it records more.

    The second ones are what a log cannot show: what was not recorded has no size.
    """
    found = [one for one in diff(base, new, served).differences if not one.row.odd and not one.row.forged]
    less = tuple(_text(one) for one in found if one.change.kind in _LESS)
    return less, tuple(_text(one) for one in found if one.change.kind in _MORE)


def _text(one: Difference) -> str:
    row = one.row
    where = f" {row.product.where}" if row.product.where else ""
    return f"{one.change.kind}: {row.product.verbs_text} {row.product.what}{where}, by {row.who}"


def not_fed(policy: Policy, rules: Sequence[Detection], served: Served, base: Policy | None) -> tuple[str, ...]:
    """The detection rules that the policy does not feed; with ``base``, those that lose requests by the change."""
    found = check_detections(policy, rules, served, base)
    return tuple(f"{one.feed}: {one.detection.title}" for one in found if _is_worse(one, compared=base is not None))


def _is_worse(one: Fed, *, compared: bool) -> bool:
    return one.worse if compared else one.feed in (Feed.BLIND, Feed.PARTLY)


def blinded_by(policy: Policy, rules: Sequence[Detection], served: Served) -> Callable[[PolicyRule], tuple[str, ...]]:
    """A function from one more first rule to the detection rules that lose requests by it."""

    def blinded(rule: PolicyRule) -> tuple[str, ...]:
        found = check_detections(with_first(policy, rule), rules, served, policy)
        return tuple(one.detection.title for one in found if one.worse)

    return blinded
