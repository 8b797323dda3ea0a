"""Rules that would save most: the largest groups of events by verb, resource and user, each as one rule."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.audit.policy.load import NOWHERE, GroupResources, selector
from auditproof.replay.result import Candidate, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.replay.sums import Sums

MOST = 10
NODES = "system:nodes"
# A rule cannot select a user without a name alone, and a * in a rule means more than a * in a request.
_SELECTABLE = "(is_node OR username <> '') AND what <> '' AND what NOT LIKE '%*%'"
LEAST_SHARE = 0.005  # of the recorded bytes; a rule that saves less is not worth a line


@dataclass(frozen=True, slots=True)
class _Group:
    """Events of one verb and resource by one user, or by all nodes (``user`` None).

    ``bodies`` are the bytes that Metadata saves: bodies, and the longer name of the level.
    """

    verb: str
    what: str
    user: str | None
    events: int
    bytes: int
    bodies: int

    @property
    def name(self) -> str:
        by = "nodes" if self.user is None else self.user or "a user without a name"
        return f"{self.verb} {self.what} by {by}"


def candidates(sums: Sums, blinded: Callable[[PolicyRule], tuple[str, ...]] | None = None) -> tuple[Candidate, ...]:
    """At most MOST rules, the one that saves most first; call ``summarize`` before.

    A rule drops its events. If ``blinded`` (which returns the detection rules that lose requests by a rule in front of
    the policy) says that this takes requests from a detection rule, and bodies can be saved without that, it lowers
    them to Metadata.
    """
    [total] = sums.connection.execute("SELECT sum(bytes_after) FROM replayed").fetchone() or (0,)
    found = (_candidate(group, total or 1, blinded) for group in _groups(sums))
    return tuple(one for one in found if one.share >= LEAST_SHARE)


def _groups(sums: Sums) -> list[_Group]:
    bodies = (
        "sum(CASE WHEN bytes_after > 0 THEN CASE WHEN rank_after >= 2 THEN request_bytes ELSE 0 END "
        "+ CASE WHEN rank_after >= 3 THEN response_bytes ELSE 0 END "
        "+ events * (strlen(level_after) - strlen('Metadata')) ELSE 0 END)::BIGINT"
    )
    rows = sums.connection.execute(
        "SELECT verb, what, CASE WHEN is_node THEN NULL ELSE username END, sum(events_after)::BIGINT, "
        f"sum(bytes_after)::BIGINT, {bodies} FROM replayed WHERE bytes_after > 0 AND {_SELECTABLE} "
        f"GROUP BY 1, 2, 3 ORDER BY 5 DESC, 1, 2, 3 LIMIT {MOST}"
    ).fetchall()
    return [_Group(*row) for row in rows]


def _candidate(group: _Group, total: int, blinded: Callable[[PolicyRule], tuple[str, ...]] | None) -> Candidate:
    dropped = rule_of(group.verb, group.what, group.user, Level.NONE)
    saved, blind = Volume(group.events, group.bytes), blinded(dropped) if blinded else None
    if blind and blinded and group.bodies:
        lowered = rule_of(group.verb, group.what, group.user, Level.METADATA)
        if not (still := blinded(lowered)):
            return _as_candidate(group, lowered, Volume(0, group.bodies), total, still)
    return _as_candidate(group, dropped, saved, total, blind)


def _as_candidate(
    group: _Group, rule: PolicyRule, saved: Volume, total: int, blind: tuple[str, ...] | None
) -> Candidate:
    return Candidate(group.name, str(rule.level), saved, saved.bytes / total, yaml_of(rule), blind)


def rule_of(verb: str, what: str, user: str | None, level: Level) -> PolicyRule:
    """The rule that selects a group of events: ``what`` as ``aggregate.what`` names it; user None: all nodes."""
    users = () if user is None else (user,)
    groups = (NODES,) if user is None else ()
    if what.startswith("/"):
        paths = (what,) if what == "/" else (what, f"{what}/*")
        rule = selector(users=users, user_groups=groups, verbs=(verb,), non_resource_urls=paths)
    else:
        plural, slash, part = what.partition("/")
        resource, _, group = plural.partition(".")
        entry = GroupResources(group, (f"{resource}{slash}{part}",), (), NOWHERE)
        rule = selector(users=users, user_groups=groups, verbs=(verb,), resources=(entry,))
    return replace(rule, level=level)


def yaml_of(rule: PolicyRule) -> str:
    """A rule as a policy file has it; strings are written as JSON, which YAML reads."""
    lines = [f"- level: {rule.level}"]
    for key, values in (
        ("users", rule.users),
        ("userGroups", rule.user_groups),
        ("verbs", rule.verbs),
        ("nonResourceURLs", rule.non_resource_urls),
    ):
        if values:
            lines.append(f"  {key}: {_list(values)}")
    if rule.resources:
        lines.append("  resources:")
        lines += [
            f"  - group: {json.dumps(one.group)}\n    resources: {_list(one.resources)}" for one in rule.resources
        ]
    return "\n".join(lines) + "\n"


def _list(values: tuple[str, ...]) -> str:
    return json.dumps(list(values), ensure_ascii=False)


def with_first(policy: Policy, rule: PolicyRule) -> Policy:
    """A policy with one more rule in front of all others."""
    others = (replace(one, index=one.index + 1) for one in policy.rules)
    return replace(policy, rules=(replace(rule, index=0), *others))
