"""The background traffic that a server records: controllers, kubelets, the server itself. Pure.

It is the volume that a policy produces on an idle cluster. Reactions of controllers to the run, in its own namespaces,
are counted separately.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from auditproof.audit.decide import decide
from auditproof.audit.event_form import check_event, decode
from auditproof.kube.attributes import METHODS, NotAudited, UserInfo, attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditproof.audit.policy.load import Policy

K = TypeVar("K")

# Audit-IDs and User-Agents of everything that auditproof sends.
OURS = ("auditproof-", "setup-", "count-", "leftovers-")
AGENT = "auditproof"
# Namespaces of every cluster; all others were created by the run.
SYSTEM = frozenset({"", "default", "kube-node-lease", "kube-public", "kube-system", "local-path-storage"})


@dataclass(frozen=True, slots=True)
class Share:
    """The number of events of one origin, and how many bytes of the log they take."""

    events: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Noise:
    """The events that no action of the run caused, over ``seconds``.

    ``components`` are by user and program (the first word of the User-Agent), ``rules`` by the index of the deciding
    rule (None if it is unknown); ``reactions`` are about objects of the run, and in neither of them.
    """

    seconds: float
    components: Mapping[tuple[str, str], Share]
    rules: Mapping[int | None, Share]
    reactions: Share

    @property
    def total(self) -> Share:
        """All events except the reactions."""
        shares = self.components.values()
        return Share(sum(share.events for share in shares), sum(share.size for share in shares))


def measure(lines: Iterable[bytes], policy: Policy) -> Noise:
    """Measure the background in the log of a server with ``policy``, from auditproof's first request to the last event.

    This leaves out a server's first seconds, in which all controllers list everything. Lines that are not events are
    ignored here; where they could change a verdict, they are reported.
    """
    first: datetime | None = None
    times: list[datetime] = []
    others: list[tuple[dict[str, Any], int]] = []
    for line in lines:  # of a long run, most are auditproof's own: none of these is kept
        if (event := _event(line)) is None:
            continue
        times.append(_time(event))
        if not is_ours(event):
            others.append((event, len(line)))
        elif first is None:
            first = times[-1]
    others = [(event, size) for event, size in others if first is None or _time(event) >= first]
    times = [time for time in times if first is None or time >= first]
    reactions = [(event, size) for event, size in others if _about(event) not in SYSTEM]
    resting = [(event, size) for event, size in others if _about(event) in SYSTEM]
    decided = _Decided(policy)
    return Noise(
        seconds=max((max(times) - min(times)).total_seconds(), 1.0) if times else 0.0,
        components=_shares(
            ((str(event.get("user", {}).get("username", "")), program(str(event.get("userAgent", "")))), size)
            for event, size in resting
        ),
        rules=_shares((decided.rule(event), size) for event, size in resting),
        reactions=Share(len(reactions), sum(size for _, size in reactions)),
    )


def _shares(found: Iterable[tuple[K, int]]) -> dict[K, Share]:
    shares: dict[K, Share] = defaultdict(Share)
    for key, size in found:
        shares[key] = Share(shares[key].events + 1, shares[key].size + size)
    return dict(shares)


def is_ours(event: Mapping[str, Any]) -> bool:
    """Whether auditproof itself sent the recorded request."""
    return str(event.get("auditID", "")).startswith(OURS) or str(event.get("userAgent", "")).startswith(AGENT)


def program(agent: str) -> str:
    """The program in a User-Agent: ``kubelet`` in ``kubelet/v1.37.2 (linux/amd64) kubernetes/abc``."""
    return agent.partition(" ")[0].partition("/")[0]


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event: dict[str, Any] = decode(line)
        check_event(event)
        _time(event)
    except (ValueError, KeyError):
        return None
    return event


def _time(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["stageTimestamp"])


def _about(event: Mapping[str, Any]) -> str:
    """The namespace of the event's object, or the namespace that is its object."""
    reference = event.get("objectRef") or {}
    named = reference.get("name", "") if reference.get("resource") == "namespaces" else ""
    return str(reference.get("namespace") or named)


class _Decided:
    """Finds the rule that decides an event; repeated requests of a component are decided once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._known: dict[tuple[Any, ...], int | None] = {}

    def rule(self, event: Mapping[str, Any]) -> int | None:
        user = event.get("user", {})
        groups = tuple(user.get("groups", ()))
        uri, verb = str(event.get("requestURI", "")), str(event.get("verb", ""))
        key = (user.get("username"), groups, verb, uri)
        if key not in self._known:
            asker, index = UserInfo(str(user.get("username", "")), groups), None
            with suppress(NotAudited):
                # The verb as recorded: the method of a request by a legacy path, or of a proxied one, is in no event.
                attributes = replace(attributes_of(METHODS.get(verb, "GET"), uri, asker), verb=verb)
                rule = decide(self._policy, attributes).rule
                index = rule.index if rule else None
            self._known[key] = index
        return self._known[key]
