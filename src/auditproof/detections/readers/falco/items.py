"""The rules, macros and lists of Falco's files, each after all that later files add to it. Pure.

Sources in userspace/engine of falcosecurity/falco: read_item of rule_loader_reader.cpp, rule_loader_collector.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from auditproof.detections.readers.falco.exceptions import RuleException, read_exceptions
from auditproof.detections.readers.falco.texts import documents
from auditproof.detections.readers.falco.unreadable import Unreadable
from auditproof.errors import Position, Problem, SourceError
from auditproof.kube.yaml.yaml_text import Mapping, Node
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping as Entries
    from collections.abc import Sequence

    from auditproof.kube.yaml.yaml_text import Mapping as YamlMapping

_RULE_KEYS = frozenset({
    "rule", "condition", "output", "desc", "priority", "source", "enabled", "capture", "capture_duration",
    "warn_evttypes", "skip-if-unknown-filter", "tags", "exceptions", "override", "append",
})  # fmt: skip
_REQUIRED = ("condition", "output", "desc", "priority")
_APPENDED = frozenset({"condition", "output", "desc", "tags", "exceptions"})
_REPLACED = _RULE_KEYS - {"rule", "source", "override", "append"}
_KINDS = ("rule", "macro", "list", "required_engine_version", "required_plugin_versions")
_TRUTHS = {
    **dict.fromkeys(("y", "yes", "true", "on"), True),
    **dict.fromkeys(("n", "no", "false", "off"), False),
}
SYSCALL = "syscall"  # the source of a rule that names none


@dataclass(slots=True)
class Named:
    """A list or macro; ``fault`` is why it cannot be used. It sees those with a smaller ``first`` than its ``last``.

    ``first`` counts its first definition, ``last`` the last change of it.
    """

    name: str
    position: Position
    first: int
    last: int
    fault: str = ""
    items: list[str] = field(default_factory=list)
    condition: str = ""


@dataclass(slots=True)
class Rule:
    """A rule; ``fault`` is why it cannot be used, ``source`` that of its events."""

    name: str
    position: Position
    fault: str = ""
    source: str = SYSCALL
    condition: str = ""
    priority: str = ""
    tags: list[str] = field(default_factory=list)
    exceptions: dict[str, RuleException] = field(default_factory=dict)
    enabled: bool = True


_Any = TypeVar("_Any", Named, Rule)


@dataclass(slots=True)
class Items:
    """All that several files define."""

    lists: dict[str, Named] = field(default_factory=dict)
    macros: dict[str, Named] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    unusable: list[tuple[Position, str]] = field(default_factory=list)  # items without a kind or a name, and why
    count: int = 0

    def add(self, text: str, path: str) -> None:
        """Add a file. Raises NotYaml if it is no YAML, and SourceError if it is not a list of rules."""
        for document in documents(text, path):
            if document.value is None:
                continue
            if not isinstance(document.value, tuple):
                message = "expected a list of rules, macros and lists, each an item such as - rule: Name"
                raise SourceError([Problem(document.position, message)])
            for item in document.value:
                self._item(item)

    def _item(self, item: Node) -> None:
        if item.value is None:
            return
        entries = item.value if isinstance(item.value, Mapping) else Mapping({}, {}, ())
        self.count += 1
        kind = next((kind for kind in reversed(_KINDS) if kind in entries.entries), None)
        if kind is None:
            key = next(iter(entries.entries), "")
            message = f'this is no rule, macro or list, such as "- rule: Name"{did_you_mean(key, _KINDS)}'
            self.unusable.append((item.position, message))
            return
        if kind.startswith("required_"):
            return
        position = entries.keys[kind]
        try:
            name = _text(entries, kind)
        except Unreadable as error:
            self.unusable.append((position, str(error)))
            return
        if kind == "rule":
            self._rule(name, position, entries)
        else:
            self._named(self.macros if kind == "macro" else self.lists, kind, name, position, entries)

    def _named(self, known: dict[str, Named], kind: str, name: str, position: Position, entries: YamlMapping) -> None:
        before = known.get(name)
        key = "condition" if kind == "macro" else "items"
        try:
            changes = _overrides(entries, frozenset({key}), frozenset({key}))
            is_appended = _truth(entries, "append", otherwise=False) or changes.get(key) == "append"
            items = _texts(entries, key) if kind == "list" else []
            condition = "" if kind == "list" else _text(entries, key)
        except Unreadable as error:
            known[name] = Named(name, position, before.first if before else self.count, self.count, str(error))
            return
        if not is_appended:
            first = before.first if before else self.count
            known[name] = Named(name, position, first, self.count, items=items, condition=condition)
        elif before is None:
            fault = f"it is appended to in {position}, but not defined before{did_you_mean(name, known)}"
            known[name] = Named(name, position, self.count, self.count, fault)
        else:
            before.items += items
            before.condition = f"{before.condition} {condition}"
            before.last = self.count

    def _rule(self, name: str, position: Position, entries: YamlMapping) -> None:
        before = self.rules.get(name)
        given = str(entries.entries["source"].value or "") if "source" in entries.entries else ""
        try:
            changes = _overrides(entries, _APPENDED, _REPLACED)
            is_appended = _truth(entries, "append", otherwise=False)
            if changes or is_appended:
                self._change(
                    name, before, given, entries, changes or dict.fromkeys(("condition", "exceptions"), "append")
                )
            elif not any(key in entries.entries for key in _REQUIRED):
                if before is None:
                    raise Unreadable(_undefined(name, self.rules))
                before.enabled = _truth(entries, "enabled")
            else:
                defined = _defined(name, position, entries)
                if before is not None and before.source != defined.source:
                    raise Unreadable(f"its source changes from {before.source} to {defined.source}")
                self.rules[name] = defined
        except Unreadable as error:
            at = before.position if before else position
            here = "" if at == position else f"in {position}, "
            fault = (before.fault if before else "") or f"{here}{error}"
            is_change = any(key in entries.entries for key in ("append", "override", "enabled"))
            source = given or ("k8s_audit" if is_change else SYSCALL)
            self.rules[name] = Rule(name, at, fault, before.source if before else source)

    def _change(
        self, name: str, rule: Rule | None, source: str, entries: YamlMapping, changes: Entries[str, str]
    ) -> None:
        if rule is None:
            raise Unreadable(_undefined(name, self.rules))
        if source not in ("", rule.source):
            raise Unreadable(f"its source changes from {rule.source} to {source}")
        for key, how in changes.items():
            if key not in entries.entries:
                if "override" in entries.entries:
                    raise Unreadable(f'"override" has {key}, which the item does not have')
                continue
            is_appended = how == "append"
            match key:
                case "condition":
                    condition = _text(entries, key)
                    rule.condition = f"{rule.condition} {condition}" if is_appended else condition
                case "exceptions":
                    read = read_exceptions(entries.entries[key], rule.exceptions if is_appended else None)
                    rule.exceptions = read
                case "tags":
                    rule.tags = [*(rule.tags if is_appended else ()), *_texts(entries, key)]
                case "priority":
                    rule.priority = _text(entries, key)
                case "enabled":
                    rule.enabled = _truth(entries, key)


def _defined(name: str, position: Position, entries: YamlMapping) -> Rule:
    for key in _REQUIRED:
        if key not in entries.entries:
            unknown = [each for each in entries.entries if each not in _RULE_KEYS]
            meant = next((each for each in unknown if did_you_mean(each, [key])), None)
            hint = f'; is "{meant}" meant to be it?' if meant else ""
            raise Unreadable(f"it has no {key}, without which Falco refuses it{hint}")
        _text(entries, key)
    return Rule(
        name,
        position,
        source=_text(entries, "source") if "source" in entries.entries else SYSCALL,
        condition=_text(entries, "condition"),
        priority=_text(entries, "priority"),
        tags=_texts(entries, "tags") if "tags" in entries.entries else [],
        exceptions=read_exceptions(entries.entries["exceptions"], None) if "exceptions" in entries.entries else {},
        enabled=_truth(entries, "enabled", otherwise=True),
    )


def _undefined(name: str, known: Entries[str, Rule]) -> str:
    expected = "expected the file that does in front, in the same folder or pattern"
    return f"it changes a rule that no file before it defines{did_you_mean(name, known) or f'; {expected}'}"


def _overrides(entries: YamlMapping, appended: frozenset[str], replaced: frozenset[str]) -> dict[str, str]:
    """What the item does with each of its keys: append or replace. Raises Unreadable for what Falco refuses."""
    node = entries.entries.get("override")
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, Mapping):
        raise Unreadable('"override" is no mapping such as condition: append')
    changes = {}
    for key, how in node.value.entries.items():
        allowed = [each for each, keys in (("append", appended), ("replace", replaced)) if key in keys]
        if how.value not in allowed:
            expected = " or ".join(allowed) or f"one of {', '.join(sorted(appended | replaced))}"
            raise Unreadable(
                f'"override" has {key}: {how.value if isinstance(how.value, str) else "..."}; expected {expected}'
            )
        changes[key] = how.value
    if _truth(entries, "append", otherwise=False):
        raise Unreadable('it has both "append" and "override"')
    return changes


def _text(entries: YamlMapping, key: str) -> str:
    node = entries.entries.get(key)
    if node is None or not isinstance(node.value, str) or not node.value:
        raise Unreadable(f"its {key} is missing, empty or no text")
    return node.value


def _texts(entries: YamlMapping, key: str) -> list[str]:
    node = entries.entries.get(key)
    values: Sequence[Node] | None = node.value if node is not None and isinstance(node.value, tuple) else None
    if values is None or any(not isinstance(each.value, str | None) for each in values):
        raise Unreadable(f"its {key} is missing or no list of texts")
    return [each.value or "" for each in values]


def _truth(entries: YamlMapping, key: str, *, otherwise: bool | None = None) -> bool:
    if key not in entries.entries and otherwise is not None:
        return otherwise
    text = _text(entries, key)
    if text.lower() not in _TRUTHS:
        raise Unreadable(f"its {key} is {text}; expected true or false")
    return _TRUTHS[text.lower()]
