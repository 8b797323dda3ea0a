"""What a server records beside the actions of a run: controllers, kubelets, the server itself. Pure.

That is what a policy costs when nobody does anything. What controllers do because of the run, in the namespaces that
it makes, is told apart from it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditproof.attributes import NotAudited, UserInfo, attributes_of
from auditproof.decide import decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditproof.policy import Policy

# Audit-IDs and User-Agents of everything that auditproof sends.
OURS = ("auditproof-", "setup-", "count-", "leftovers-")
AGENT = "auditproof"
# Namespaces that a cluster has by itself; every other one was made by the run.
SYSTEM = frozenset({"", "default", "kube-node-lease", "kube-public", "kube-system", "local-path-storage"})
_METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETE"}


@dataclass(frozen=True, slots=True)
class Share:
    """How many events somebody or something has, and how many bytes of the log they take."""

    events: int = 0
    size: int = 0

    def plus(self, size: int) -> Share:
        """With one more event."""
        return Share(self.events + 1, self.size + size)


@dataclass(frozen=True, slots=True)
class Noise:
    """Events that no action of the run caused, over ``seconds``.

    ``components`` are by user and program (the first word of the User-Agent), ``rules`` by the index of the rule that
    decides (None: no rule, which then is a contradiction); ``reactions`` are those about what the run has made, and in
    neither.
    """

    seconds: float
    components: Mapping[tuple[str, str], Share]
    rules: Mapping[int | None, Share]
    reactions: Share

    @property
    def total(self) -> Share:
        """All events but the reactions."""
        shares = self.components.values()
        return Share(sum(share.events for share in shares), sum(share.size for share in shares))


def measure(lines: Iterable[bytes], policy: Policy, begin: datetime, end: datetime) -> Noise:
    """What stands in the log of a server that runs ``policy``, from ``begin`` to ``end`` (with a time zone).

    Lines that are no events are passed over: they are told where they could change a verdict.
    """
    components: dict[tuple[str, str], Share] = defaultdict(Share)
    rules: dict[int | None, Share] = defaultdict(Share)
    reactions = Share()
    decided = _Decided(policy)
    for line in lines:
        event = _event(line, begin, end)
        if event is None or is_ours(event):
            continue
        if _about(event) not in SYSTEM:
            reactions = reactions.plus(len(line))
            continue
        who = (str(event.get("user", {}).get("username", "")), program(str(event.get("userAgent", ""))))
        components[who] = components[who].plus(len(line))
        rule = decided.rule(event)
        rules[rule] = rules[rule].plus(len(line))
    return Noise(max((end - begin).total_seconds(), 0.001), dict(components), dict(rules), reactions)


def is_ours(event: Mapping[str, Any]) -> bool:
    """Whether auditproof itself sent what is recorded."""
    return str(event.get("auditID", "")).startswith(OURS) or str(event.get("userAgent", "")).startswith(AGENT)


def program(agent: str) -> str:
    """The program that a User-Agent names: ``kubelet`` out of ``kubelet/v1.37.2 (linux/amd64) kubernetes/abc``."""
    return agent.partition(" ")[0].partition("/")[0]


def _event(line: bytes, begin: datetime, end: datetime) -> dict[str, Any] | None:
    try:
        event: dict[str, Any] = json.loads(line)
        time = datetime.fromisoformat(event["stageTimestamp"])
    except (ValueError, KeyError, TypeError):
        return None
    return event if begin <= time <= end else None


def _about(event: Mapping[str, Any]) -> str:
    """The namespace that an event is about, or that it is in."""
    reference = event.get("objectRef") or {}
    named = reference.get("name", "") if reference.get("resource") == "namespaces" else ""
    return str(reference.get("namespace") or named)


class _Decided:
    """Which rule decides about an event; what the same component asks again and again is decided once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._known: dict[tuple[Any, ...], int | None] = {}

    def rule(self, event: Mapping[str, Any]) -> int | None:
        user = event.get("user", {})
        groups = tuple(user.get("groups", ()))
        uri, verb = str(event.get("requestURI", "")), str(event.get("verb", ""))
        key = (user.get("username"), groups, verb, uri)
        if key not in self._known:
            self._known[key] = self._decide(UserInfo(str(user.get("username", "")), groups), verb, uri)
        return self._known[key]

    def _decide(self, user: UserInfo, verb: str, uri: str) -> int | None:
        try:
            attributes = attributes_of(_METHODS.get(verb, verb.upper() if verb in _HTTP else "GET"), uri, user)
        except NotAudited:
            return None
        rule = decide(self._policy, attributes).rule
        return rule.index if rule else None


_HTTP = ("post", "put", "patch", "delete", "head", "options")
