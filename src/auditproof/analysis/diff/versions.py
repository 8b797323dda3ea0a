"""One policy on two versions of Kubernetes: what it decides about requests that only one of them serves. Pure.

A policy decides alike about the same request on every version; what changes are the requests that an API server serves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.analysis.diff.render import API_VERSION, row_lines, witness_text
from auditproof.analysis.space import Space, merge
from auditproof.analysis.space.client_request import most_performable
from auditproof.audit.decide import decided_by
from auditproof.audit.effect import effect_of
from auditproof.audit.event import Level
from auditproof.audit.policy.load import NOWHERE, GroupResources, selector
from auditproof.audit.stages import in_order
from auditproof.text.markdown import markdown, markdown_code, written_table
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.space import ClassDecision, Row
    from auditproof.analysis.space.client_request import Witnessed
    from auditproof.audit.effect import Effect
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class ServedDifference:
    """Requests that only one version serves, ``comes`` if the newer one, and what the policy records of them.

    ``rules`` decide about them (None: no rule matches), ``witness`` is one such request.
    """

    comes: bool
    row: Row[Effect]
    rules: tuple[PolicyRule | None, ...]
    witness: Witnessed

    @property
    def text(self) -> str:
        """What differs, in a few words."""
        level = self.row.key.level
        recorded = "not recorded" if level is Level.NONE else f"recorded at {level}"
        return f"{'newly' if self.comes else 'no longer'} served: {recorded}"


@dataclass(frozen=True, slots=True)
class VersionsDiff:
    """All such requests of ``policy``, between the versions ``old`` and ``new``; what is newly served comes first."""

    policy: Policy
    old: str
    new: str
    differences: tuple[ServedDifference, ...]


def between(policy: Policy, old: Served, new: Served) -> VersionsDiff:
    """Compute what ``policy`` decides about the requests that only one of two API servers serves.

    Only requests that ordinary clients send are compared, with a valid credential.

    >>> from auditproof import load_policy, load_served
    >>> policy = load_policy("fixtures/policies/baseline.yaml")
    >>> between(policy, load_served("1.37"), load_served("1.37")).differences
    ()
    """
    found = (*_rows(policy, new, old, comes=True), *_rows(policy, old, new, comes=False))
    return VersionsDiff(policy, old.kubernetes.removeprefix("v"), new.kubernetes.removeprefix("v"), found)


def _rows(policy: Policy, served: Served, other: Served, *, comes: bool) -> Iterator[ServedDifference]:
    """The requests that ``served`` has and ``other`` has not, by what the policy records of them."""
    selected = tuple(_only(served, other))
    first = len(policy.rules)
    space = Space.of([*policy.rules, *selected], served)
    outcomes = space.outcomes((0, first), (first, first + len(selected)))
    keyed = [(outcome, _effect(policy, outcome)) for outcome in outcomes]
    rows = [row for row in merge(space, keyed) if row.served and row.honest] if any(key for _, key in keyed) else []
    for row in sorted(rows, key=lambda row: (-len(row.classes), row.who, row.product.what)):
        deciding = dict.fromkeys(rules[0] for rules in row.deciding)
        rules = tuple(map(policy.rule_at, deciding))
        yield ServedDifference(comes, row, rules, most_performable(row.requests(space)))


def _only(one: Served, other: Served) -> Iterator[PolicyRule]:
    """Rules that match what ``one`` serves and ``other`` does not: resources with these verbs, and paths."""
    known = {(entry.group, entry.full_name): entry.verbs for entry in other.resources}
    for entry in one.resources:
        if verbs := entry.verbs - known.get((entry.group, entry.full_name), frozenset()):
            resource = GroupResources(entry.group, (entry.full_name,), (), NOWHERE)
            yield selector(verbs=tuple(sorted(verbs)), resources=(resource,))
    if paths := tuple(path for path in one.paths if path not in other.paths):
        yield selector(verbs=("get",), non_resource_urls=paths)


def _effect(policy: Policy, outcome: ClassDecision) -> Effect | None:
    """What is recorded of an outcome; None of one that is not compared."""
    number, selected = outcome.deciding
    if selected is None or outcome.identity.failed:
        return None
    return effect_of(decided_by(policy, policy.rule_at(number)), failed=False)


def render_between(diff: VersionsDiff) -> str:
    """A line with the number of differences, then a block of lines per difference."""
    blocks = ["\n".join([one.text, *row_lines(one.row, _rules(one), one.witness)]) for one in diff.differences]
    return "\n\n".join([_headline(diff), *blocks]) + "\n"


def _headline(diff: VersionsDiff) -> str:
    count = len(diff.differences)
    kinds = f"{count} kind{'s' if count > 1 else ''} of requests" if count else "no request"
    verb = "is" if count < 2 else "are"
    return printable(
        f"{diff.policy.path}, Kubernetes {diff.old} → {diff.new}: {kinds} {verb} served by one of them only"
    )


def _rules(one: ServedDifference) -> str:
    return ", ".join(f"{rule.index + 1} (line {rule.position.line})" if rule else "no rule" for rule in one.rules)


def render_between_markdown(diff: VersionsDiff) -> str:
    """A Markdown table."""
    head = ["Change", "Who", "Verbs", "What", "Rules", "Witness"]
    cells = [
        [
            *map(markdown, (one.text, one.row.who, one.row.product.verbs_text)),
            markdown(" ".join(filter(None, (one.row.product.what, one.row.product.where)))),
            markdown(_rules(one)),
            markdown_code(witness_text(one.witness)),
        ]
        for one in diff.differences
    ]
    return "\n".join([f"**{markdown(_headline(diff))}**", *(["", *written_table(head, cells)] if cells else [])]) + "\n"


def between_json(diff: VersionsDiff) -> str:
    """All differences as text in JSON; rules are counted from 0."""
    record = {
        "apiVersion": API_VERSION,
        "kind": "VersionsDiff",
        "policy": {"path": diff.policy.path, "sha256": diff.policy.sha256},
        "old": diff.old,
        "new": diff.new,
        "changes": [_change(one) for one in diff.differences],
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _change(one: ServedDifference) -> dict[str, Any]:
    row, sent = one.row, one.witness.performable
    return {
        "servedBy": "new" if one.comes else "old",
        "level": str(row.key.level),
        "stages": [str(stage) for stage in in_order(row.key.stages)],
        "omitManagedFields": row.key.omit_managed_fields,
        "who": row.who,
        "verbs": list(row.product.verbs),
        "verbsText": row.product.verbs_text,
        "what": row.product.what,
        "where": row.product.where,
        "resources": list(row.product.resources),
        "paths": list(row.product.paths),
        "rules": [None if rule is None else {"rule": rule.index, "line": rule.position.line} for rule in one.rules],
        "witness": {"method": sent.request.method, "uri": sent.request.uri} if sent else {"reason": one.witness.reason},
    }
