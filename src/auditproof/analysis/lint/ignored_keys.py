"""Text that the API server ignores: unknown, misplaced and duplicate keys, and everything after the first document.

kube-apiserver only logs a warning and continues without them.
Source: staging/src/k8s.io/apiserver/pkg/audit/policy/reader.go.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.analysis.lint.rule_fields import KEYS, with_entry, with_values
from auditproof.audit.policy.go_types import GROUP_RESOURCES, POLICY, POLICY_RULE
from auditproof.audit.policy.unmarshal import repeated_key
from auditproof.text.invisible import invisible_in
from auditproof.text.suggestion import closest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.lint.context import Asked, Subject
    from auditproof.analysis.lint.finding import Finding
    from auditproof.analysis.lint.positions import Path
    from auditproof.audit.policy.load import PolicyRule
    from auditproof.errors import Position

_HOMES = {"a rule": POLICY_RULE.fields, "an item of resources": GROUP_RESOURCES.fields, "the policy": POLICY.fields}
_MEANT = {
    "stages": "no key lists the stages to record; omitStages lists those to leave out",
    "auditID": "events have an auditID, rules do not",
}
_CONTENT = re.compile(r"^(?!\s*(#|$))")
_MARK = re.compile(r"^---(\s|$)")


def check(subject: Subject) -> Iterator[Finding]:
    """Everything in the file that the server ignores."""
    for warning in subject.policy.warnings:
        path = subject.places.path_of_key(warning.position)
        key = str(path[-1]) if path else ""
        if path is None or warning.message == repeated_key(key) or warning.message.startswith('duplicate key "'):
            text = warning.message.partition(":")[0]
            advice = "Remove one of the two, or merge their values."
            yield subject.finding(
                "AP102", warning.position, f"{text}: the last one counts", advice, _affected(subject, path)
            )
        else:
            yield _unknown(subject, warning.position, path)
    yield from _further_document(subject)


def _unknown(subject: Subject, position: Position, path: Path) -> Finding:
    key, home = str(path[-1]), _home(path)
    homes = [name for name, fields in _HOMES.items() if key in fields]
    if home and homes:
        message = f'the key "{key}" belongs in {" or ".join(homes)}; in {home} it is ignored'
        advice = f"Move it to {homes[0]}; check the indentation."
        return subject.finding("AP103", position, message, advice, _limited(subject, path, key))
    known = _HOMES.get(home, {})
    meant = closest(key, known, ignore_case=True) or ""
    advice = f'Did you mean "{meant}"?' if meant else f"Known in {home or 'metadata'}: {', '.join(known) or 'labels'}."
    if key in _MEANT:
        meant, advice = "", f"Remove it: {_MEANT[key]}."
    if hidden := invisible_in(key):
        meant = ""
        advice = f"Letter {hidden[0]} of the key is {hidden[1]}, which looks like a space: replace it."
    message = f'unknown key "{key}" in {home or "metadata"}: the server ignores it'
    return subject.finding("AP101", position, message, advice, _limited(subject, path, meant))


def _home(path: Path) -> str:
    """What contains the key at ``path``; empty if it is neither the policy, a rule nor a resources item."""
    kinds = tuple(step if isinstance(step, str) else 0 for step in path[:-1])
    homes = {(): "the policy", ("rules", 0): "a rule", ("rules", 0, "resources", 0): "an item of resources"}
    return homes.get(kinds, "")


def _affected(subject: Subject, path: Path | None) -> Asked | None:
    """A request that the rule around ``path`` decides, else one that the first rule decides."""
    rule = path[1] if path and path[0] == "rules" and len(path) > 1 else 0
    return subject.first_request(int(rule)) or subject.first_request(0)


def _limited(subject: Subject, path: Path, meant: str) -> Asked | None:
    """A request that the rule decides only because the key is misplaced or misspelled."""
    values = subject.places.texts(*path)
    if values and len(path) > 2 and path[0] == "rules" and int(path[1]) < len(subject.policy.rules):
        rule = subject.policy.rules[int(path[1])]
        right = _corrected(rule, path, meant, values)
        if right and (asked := subject.meant(rule, right)):
            return asked
    return _affected(subject, path)


def _corrected(rule: PolicyRule, path: Path, meant: str, values: tuple[str, ...]) -> PolicyRule | None:
    """The rule with ``values`` under the intended key; None if they cannot be there."""
    field = next((field for field, key in KEYS.items() if key == meant), "")
    if field:
        return with_values(rule, field, values)
    if len(path) != len(("rules", 0, "resources", 0, "key")) or int(path[3]) >= len(rule.resources):
        return None
    entry = rule.resources[int(path[3])]
    if meant == "resources":
        return with_entry(rule, int(path[3]), replace(entry, resources=values))
    named = meant == "resourceNames"
    return with_entry(rule, int(path[3]), replace(entry, resource_names=values)) if named else None


def _further_document(subject: Subject) -> Iterator[Finding]:
    """A YAML document separator with content after it; the server reads only the first document."""
    lines = subject.policy.text.splitlines()
    if subject.policy.text.lstrip().startswith("{"):
        return
    begun = False
    for number, line in enumerate(lines, start=1):
        if begun and _MARK.match(line):
            if any(_CONTENT.match(later) and not _MARK.match(later) for later in lines[number:]):
                where = subject.policy.place.at(number, 1)
                text = "a second document begins here: the server silently reads only the first one"
                advice = "Put all rules into one document."
                yield subject.finding("AP104", where, text, advice, subject.first_request(0))
            return
        begun = begun or bool(_CONTENT.match(line) and not _MARK.match(line) and not line.startswith("%"))
