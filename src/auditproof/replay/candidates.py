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
NAMES = {"system:nodes": "nodes", "system:serviceaccounts": "service accounts"}
# A rule cannot select a user without a name alone, and a * in a rule means more than a * in a request.
_SELECTABLE = "(user_class <> '' OR username <> '') AND what <> '' AND what NOT LIKE '%*%'"
LEAST_SHARE = 0.005  # of the recorded bytes; a rule that saves less is not worth a line


@dataclass(frozen=True, slots=True)
class _Group:
    """Events of one verb and resource by one user, or by a group of which several members send them.

    ``bodies`` are the bytes that Metadata saves: bodies, and the longer name of the level.
    """

    verb: str
    what: str
    user: str
    group: str
    events: int
    bytes: int
    bodies: int

    @property
    def name(self) -> str:
        return f"{self.verb} {self.what} by {NAMES[self.group] if self.group else self.user}"


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
    # A class stands for its members only if several of them do the same: a rule is as narrow as it can be.
    several = "user_class <> '' AND count(DISTINCT username) OVER (PARTITION BY verb, what, user_class) > 1"
    rows = sums.connection.execute(
        "SELECT verb, what, CASE WHEN several THEN '' ELSE username END, "
        "CASE WHEN several THEN user_class ELSE '' END, "
        f"sum(events_after)::BIGINT, sum(bytes_after)::BIGINT, {bodies} "
        f"FROM (SELECT *, {several} AS several FROM replayed WHERE bytes_after > 0 AND {_SELECTABLE}) "
        f"GROUP BY 1, 2, 3, 4 ORDER BY 6 DESC, 1, 2, 3, 4 LIMIT {MOST}"
    ).fetchall()
    return [_Group(*row) for row in rows]


def _candidate(group: _Group, total: int, blinded: Callable[[PolicyRule], tuple[str, ...]] | None) -> Candidate:
    dropped = rule_of(group.verb, group.what, group.user, group.group, Level.NONE)
    saved, blind = Volume(group.events, group.bytes), blinded(dropped) if blinded else None
    if blind and blinded and group.bodies:
        lowered = rule_of(group.verb, group.what, group.user, group.group, Level.METADATA)
        if not (still := blinded(lowered)):
            return _as_candidate(group, lowered, Volume(0, group.bodies), total, still)
    return _as_candidate(group, dropped, saved, total, blind)


def _as_candidate(
    group: _Group, rule: PolicyRule, saved: Volume, total: int, blind: tuple[str, ...] | None
) -> Candidate:
    return Candidate(group.name, str(rule.level), saved, saved.bytes / total, yaml_of(rule), blind)


def rule_of(verb: str, what: str, user: str, member_of: str, level: Level) -> PolicyRule:
    """The rule that selects a group of events: ``what`` as ``aggregate.what`` names it, by a user or a group."""
    users, groups = (() if member_of else (user,)), ((member_of,) if member_of else ())
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
