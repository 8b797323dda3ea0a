"""Reads Falco's rules on Kubernetes' audit events. Pure.

``read_falco`` takes all files of a pack at once, in the order of ``falco -r a.yaml -r b.yaml``, because a later file
appends to the lists, macros and rules of earlier ones, or overrides them. A rule that Falco refuses, or that is not
decided by the audit event alone, becomes a NotRead with the reason; nothing is approximated silently: where Falco's
plugin does otherwise than the name of a field says, the rule does as the plugin, and has a remark.

Two things are left out because no rule is about them: Falco takes a null for the text "null", here it is absent; and in
the body of a JSON patch, which is a list, its plugin finds flags such as ka.req.container.privileged to be false.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from auditproof.detections.condition import FALSE
from auditproof.detections.detection import Detection, NotRead
from auditproof.detections.readers.falco.exceptions import with_exceptions
from auditproof.detections.readers.falco.items import Items, Rule
from auditproof.detections.readers.falco.names import Names
from auditproof.detections.readers.falco.translate import Translation
from auditproof.detections.readers.falco.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_falco", "is_falco", "read_falco"]

SOURCE = "k8s_audit"
_PRIORITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "info", "debug")
_TECHNIQUE = re.compile(r"(?:mitre_)?(t[0-9]{4}(?:\.[0-9]{3})?)", re.IGNORECASE)
_TACTICS = frozenset({
    "reconnaissance", "resource_development", "initial_access", "execution", "persistence", "privilege_escalation",
    "defense_evasion", "credential_access", "discovery", "lateral_movement", "collection", "command_and_control",
    "exfiltration", "impact",
})  # fmt: skip
_LOOKS_LIKE = re.compile(r"^- *(rule|macro|list|required_engine_version|required_plugin_versions) *:", re.MULTILINE)


def is_falco(text: str) -> bool:
    r"""Whether a text looks like a file of Falco: it has an item that begins as its items do.

    >>> from auditproof.detections.readers.falco import is_falco
    >>> is_falco("- macro: kevt\n  condition: ka.stage exists\n"), is_falco("title: Sigma\n")
    (True, False)
    """
    return _LOOKS_LIKE.search(text) is not None


def check_falco(text: str, path: str) -> None:
    """Raise NotYaml, or SourceError with the position, if ``read_falco`` would for this file."""
    Items().add(text, path)


def read_falco(files: Sequence[tuple[str, str]], pack: str) -> tuple[list[Detection | NotRead], int]:
    """Return the rules of ``files``, pairs of path and text in Falco's order, and how many rules have another source.

    The source of a rule is ``k8s_audit``, or begins with ``k8s_audit_``. Id and title of a rule are its name, its
    severity is its priority; tags of ATT&CK become those of Sigma (``attack.t1609``, ``attack.credential-access``).
    Rules are in the order in which they are first defined; behind them are the items that are no rule, macro or list.

    Raises NotYaml, or SourceError with the position, for a file that is not a list of rules, macros and lists.

    >>> from auditproof.detections.readers.falco import read_falco
    >>> rule = '''
    ... - macro: pod
    ...   condition: ka.target.resource = pods and not ka.target.subresource exists
    ... - rule: Pod Deleted
    ...   desc: A pod was deleted.
    ...   condition: pod and ka.verb = delete
    ...   output: Pod deleted
    ...   priority: NOTICE
    ...   source: k8s_audit
    ... '''
    >>> [found], others = read_falco([("rules.yaml", rule)], "mine")
    >>> found.title, found.severity, str(found.position), others
    ('Pod Deleted', 'NOTICE', 'rules.yaml:4:3', 0)
    """
    items = Items()
    for path, text in files:
        items.add(text, path)
    names = Names(items.lists, items.macros)
    audit = [rule for rule in items.rules.values() if rule.source == SOURCE or rule.source.startswith(f"{SOURCE}_")]
    unusable = [
        NotRead(f"item in line {where.line}", f"item in line {where.line}", pack, where, reason)
        for where, reason in items.unusable
    ]
    return [*map(partial(_detection, names, pack), audit), *unusable], len(items.rules) - len(audit)


def _detection(names: Names, pack: str, rule: Rule) -> Detection | NotRead:
    try:
        if rule.fault:
            raise Unreadable(rule.fault)
        if rule.priority.lower() not in _PRIORITIES:
            raise Unreadable(f"its priority is {rule.priority}; expected one of {', '.join(_PRIORITIES)}")
        tree = names.parsed(with_exceptions(rule.condition, rule.exceptions))
        translation = Translation(names.macro)
        condition = translation.condition(tree)
        remarks = [*translation.remarks, *dict.fromkeys(names.remarks(tree))]
        if condition == FALSE and (why := names.constants(tree)):
            remarks.append(f"no event meets its condition, because of the macro {' > '.join(why)}")
    except Unreadable as error:
        return NotRead(rule.name, rule.name, pack, rule.position, str(error))
    tags = tuple(dict.fromkeys(map(_tag, rule.tags)))
    return Detection(
        rule.name, rule.name, pack, (condition,), rule.position, rule.priority, tags, tuple(remarks), rule.enabled
    )


def _tag(tag: str) -> str:
    """A tag of ATT&CK as Sigma writes it; any other as it is."""
    if found := _TECHNIQUE.fullmatch(tag):
        return f"attack.{found[1].lower()}"
    tactic = tag.lower().removeprefix("mitre_")
    return f"attack.{tactic.replace('_', '-')}" if tag.lower() != tactic and tactic in _TACTICS else tag
