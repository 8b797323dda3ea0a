"""Reads the Sigma rules of several files: simple rules, correlations of them, and filters. Pure."""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule

from auditproof.detections.detection import Detection, NotRead
from auditproof.detections.readers.event_fields import Names
from auditproof.detections.readers.merged import any_of
from auditproof.detections.readers.sigma.translate import translated
from auditproof.detections.readers.untranslatable import Untranslatable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditproof.detections.condition import Condition
    from auditproof.detections.readers.documents import Document

_LONGEST = 300  # characters of a reason


def read_rules(
    documents: Sequence[tuple[Document, str]], names: Mapping[str, str]
) -> tuple[list[Detection | NotRead], int]:
    """Read rules from documents, each with its pack; ``names`` are fields that are not called as an event's own.

    Also returns the number of rules about other log sources.
    """
    return _SigmaReader(list(_merged(documents)), names).all()


class _OtherSource(Exception):
    """The rule is about another log source."""


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A rule as it is written, after templates have been merged into it."""

    rule: dict[str, Any]
    document: Document
    pack: str

    @property
    def names(self) -> set[str]:
        """What a correlation may call it by."""
        return {str(self.rule[key]) for key in ("id", "name") if self.rule.get(key)}

    @property
    def correlation(self) -> dict[str, Any] | None:
        found = self.rule.get("correlation")
        return found if isinstance(found, dict) else None

    @property
    def is_filter(self) -> bool:
        return isinstance(self.rule.get("filter"), dict) and "detection" not in self.rule

    def text(self, key: str) -> str:
        value = self.rule.get(key)
        return "" if value is None else str(value)


class _SigmaReader:
    """Reads rules that may refer to each other."""

    def __init__(self, entries: Sequence[_Entry], names: Mapping[str, str]) -> None:
        self._entries = entries
        self._names = names
        self._known = {name: entry for entry in entries for name in entry.names}
        self._filters: list[tuple[str, SigmaFilter]] = []

    def all(self) -> tuple[list[Detection | NotRead], int]:
        found: list[Detection | NotRead] = []
        others = 0
        # A correlation reports instead of the rules that it refers to, unless it says otherwise.
        parts = {
            name
            for entry in self._entries
            if entry.correlation and not entry.correlation.get("generate")
            for name in _references(entry.correlation)
        }
        for entry in sorted(self._entries, key=lambda entry: not entry.is_filter):
            try:
                if entry.is_filter:
                    self._filters.append((entry.text("title"), _parsed(SigmaFilter, entry.rule)))
                elif not entry.names & parts:
                    found.append(self._detection(entry))
            except Untranslatable as reason:
                given = (_id(entry), entry.text("title"), entry.pack, entry.document.position)
                found.append(NotRead(*given, reason=str(reason)[:_LONGEST]))
            except _OtherSource:
                others += 1
        return found, others

    def _detection(self, entry: _Entry) -> Detection:
        names = Names(self._names)
        steps = self._steps(entry, names, ())
        tags = entry.rule.get("tags")
        return Detection(
            id=_id(entry),
            title=entry.text("title"),
            pack=entry.pack,
            steps=steps,
            position=entry.document.position,
            severity=entry.text("level"),
            tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
            remarks=tuple(names.remarks),
        )

    def _steps(self, entry: _Entry, names: Names, outer: tuple[_Entry, ...]) -> tuple[Condition, ...]:
        for key, position in entry.document.repeated:
            raise Untranslatable(
                f"the key {key} is repeated in line {position.line}; engines differ in which one counts"
            )
        if entry.correlation is None:
            return (self._condition(entry, names),)
        if entry in outer:
            raise Untranslatable("the correlation refers to itself")
        kind = str(entry.correlation.get("type"))
        if isinstance(entry.correlation.get("condition"), str):
            raise Untranslatable("its correlation combines other rules by and, or and not")
        found = []
        for name in _references(entry.correlation):
            if name not in self._known:
                raise Untranslatable(f"it refers to the rule {name}, which is in none of these files")
            try:
                found.append(self._steps(self._known[name], names, (*outer, entry)))
            except _OtherSource:
                names.remarks[f"it also needs {name}, a rule about another log source"] = None
        if not found:
            raise _OtherSource if entry.correlation.get("rules") else Untranslatable("its correlation names no rules")
        if kind in ("temporal", "temporal_ordered"):
            return tuple(step for steps in found for step in steps)
        names.remarks[f"how many events there must be ({kind}) is not looked at"] = None
        if len(found) == 1:
            return found[0]
        if any(len(steps) > 1 for steps in found):
            raise Untranslatable("its correlation counts the matches of correlations")
        return (any_of(steps[0] for steps in found),)

    def _condition(self, entry: _Entry, names: Names) -> Condition:
        if not _is_audit(entry.rule.get("logsource")):
            raise _OtherSource
        rule: SigmaRule = _parsed(SigmaRule, _without_counting(entry, names))
        for title, sigma_filter in self._filters:
            before = list(rule.detection.condition)
            sigma_filter.apply_on_rule(rule)  # in place
            if rule.detection.condition != before:
                names.remarks[f"the filter {title} is applied to it"] = None
        try:
            trees = [condition.parsed for condition in rule.detection.parsed_condition]
        except Exception as error:  # a condition is parsed only now
            raise _refused(error) from None
        return any_of(translated(tree, names) for tree in trees)


def _is_audit(logsource: Any) -> bool:
    """Whether events of this log source are those of audit logs of Kubernetes."""
    if not isinstance(logsource, dict):
        return True  # pySigma says what is wrong with it
    product, service = (str(logsource.get(key) or "").lower() for key in ("product", "service"))
    return product == "kubernetes" and service in ("audit", "")


def _without_counting(entry: _Entry, names: Names) -> dict[str, Any]:
    """The rule without the aggregations of older versions of Sigma, which count matches: ``| count() > 5``.

    And without what says nothing about events: a date that does not exist is no reason not to read a rule.
    """
    rule: dict[str, Any] = {key: entry.rule[key] for key in ("logsource", "detection") if key in entry.rule}
    rule |= {"title": entry.text("title")[:250], "name": entry.text("name") or None}
    with suppress(ValueError):
        rule["id"] = str(UUID(entry.text("id")))
    detection = rule.get("detection")
    if not isinstance(detection, dict):
        return rule
    kept = {key: value for key, value in detection.items() if key != "timeframe"}
    conditions = detection.get("condition")
    bases = []
    for condition in conditions if isinstance(conditions, list) else [conditions]:
        base, counts, counting = str(condition).partition("|")
        if counting.split()[:1] == ["near"]:
            raise Untranslatable(
                "its condition looks for events near others, an aggregation of older versions of Sigma"
            )
        if counts:
            names.remarks[f"how many events there must be ({counting.strip()}) is not looked at"] = None
        bases.append(base.strip())
    return {**rule, "detection": kept | ({"condition": bases} if "condition" in detection else {})}


def _references(correlation: dict[str, Any]) -> list[str]:
    rules = correlation.get("rules")
    return [str(name) for name in rules] if isinstance(rules, list) else [str(rules)] if rules else []


def _parsed(kind: Any, rule: dict[str, Any]) -> Any:
    """The rule by pySigma. Raises Untranslatable."""
    try:
        return kind.from_dict(copy.deepcopy(rule))
    except Exception as error:  # pySigma raises its own errors for many mistakes, and Python's for others
        raise _refused(error) from None


def _refused(error: Exception) -> Untranslatable:
    text = str(error).partition("\n")[0] or type(error).__name__
    return Untranslatable(f"it is not valid Sigma: {text}")


def _id(entry: _Entry) -> str:
    return next((text for key in ("id", "name", "title") if (text := entry.text(key))), "rule")


def _merged(documents: Sequence[tuple[Document, str]]) -> Iterator[_Entry]:
    """The rules, each with the template (``action: global``) of its file, which older versions of Sigma have."""
    template: dict[str, Any] = {}
    previous: dict[str, Any] = {}
    file = ""
    for document, pack in documents:
        rule = document.value
        if document.position.path != file:
            file, template, previous = document.position.path, {}, {}
        action = rule.get("action")
        if action == "reset":
            template = {}
        elif action == "global":
            template = previous = {key: value for key, value in rule.items() if key != "action"}
        else:
            own = {key: value for key, value in rule.items() if key != "action"}
            if not isinstance(rule.get("correlation"), dict):
                own = _updated(previous, own) if action == "repeat" else _updated(own, template)
            previous = own
            yield _Entry(own, document, pack)


def _updated(rule: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """The rule with the values of ``update``, mapping by mapping."""
    merged = rule | update
    for key in rule.keys() & update.keys():
        if isinstance(rule[key], dict) and isinstance(update[key], dict):
            merged[key] = _updated(rule[key], update[key])
    return merged
