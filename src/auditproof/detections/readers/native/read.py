"""Reads a file of detection rules in auditproof's own format, and reports every mistake with line and column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from auditproof.detections.condition import TRUE, Condition, Operator, Test, both, negated
from auditproof.detections.detection import Detection
from auditproof.detections.readers.event_fields import Names, event_field
from auditproof.detections.readers.merged import any_of
from auditproof.detections.readers.native.schema import DetectionsModel, TestModel
from auditproof.detections.readers.untranslatable import Untranslatable, checked_network, checked_regex
from auditproof.errors import Problem, SourceError
from auditproof.kube.yaml.strict_model import read_model
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from auditproof.detections.fields import Field
    from auditproof.detections.readers.native.schema import DetectionModel
    from auditproof.kube.yaml.yaml_text import Node

Where = tuple[str | int, ...]
_OPERATORS = {
    "equals": Operator.EQUALS,
    "contains": Operator.CONTAINS,
    "starts_with": Operator.STARTS_WITH,
    "ends_with": Operator.ENDS_WITH,
    "wildcard": Operator.WILDCARD,
    "regex": Operator.REGEX,
    "cidr": Operator.IN_NETWORK,
    "lt": Operator.LESS,
    "lte": Operator.LESS_OR_EQUAL,
    "gt": Operator.GREATER,
    "gte": Operator.GREATER_OR_EQUAL,
}
_EXPECTED = {
    **dict.fromkeys(("lt", "lte", "gt", "gte"), "a number"),
    **dict.fromkeys(("exists", "ignoreCase", "every"), "true or false"),
    "equals": "a value, or a list of values",
}
_DEEPEST = 30  # levels of a condition: no hand-written one is nested deeper
_COMMON = ("verb", "stage", "level", "requestURI", "userAgent", "sourceIPs", "user.username", "user.groups",
           "impersonatedUser.username", "objectRef.resource", "objectRef.subresource", "objectRef.namespace",
           "objectRef.name", "objectRef.apiGroup", "responseStatus.code")  # fmt: skip


def read_file(path: Path, pack: str, table: Mapping[str, str]) -> list[Detection]:
    """Read a file; ``table`` has the user's own names of fields.

    Raises SourceError, which lists all problems with their lines and columns.
    """
    model, root = read_model(path, DetectionsModel)
    reading = _NativeReader(root, {**model.fields, **table})
    for name, target in model.fields.items():
        if event_field(target) is None:
            reading.wrong(("fields", name), f"{target}: {_no_field(target)}")
    found = [reading.detection(n, one, pack) for n, one in enumerate(model.detections)]
    if reading.problems:
        raise SourceError(sorted(reading.problems, key=lambda problem: problem.position))
    return found


def _no_field(path: str) -> str:
    return f"an audit event has no such field{did_you_mean(path, _COMMON)}"


@dataclass(slots=True)
class _NativeReader:
    """Reads one file; collects problems and continues, so that all are reported at once."""

    root: Node
    table: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, where: Where, message: str) -> None:
        self.problems.append(Problem(self.root.at(where).position, message))

    def detection(self, n: int, model: DetectionModel, pack: str) -> Detection:
        where: Where = ("detections", n)
        if (model.when is None) is not bool(model.steps):
            self.wrong(where, "a rule has exactly one of when (one event) and steps (several events)")
        given = [((*where, "when"), model.when)] if model.when is not None else []
        given += [((*where, "steps", m), step) for m, step in enumerate(model.steps)]
        names = Names(self.table)
        return Detection(
            id=model.id,
            title=model.title or model.id,
            pack=pack,
            steps=tuple(self.condition(place, step, names) for place, step in given),
            position=self.root.at(where).position,
            severity=model.severity,
            tags=tuple(model.tags),
            remarks=tuple(names.remarks),
            enabled=model.enabled,
        )

    def condition(self, where: Where, given: Any, names: Names) -> Condition:
        """All entries of a mapping: ``all``, ``any``, ``not``, and tests of fields."""
        if not isinstance(given, dict) or not given:
            self.wrong(where, "expected a condition: all, any, not, or a field with a value")
            return TRUE
        if len(where) > 2 * _DEEPEST:
            self.wrong(where, f"conditions are nested more than {_DEEPEST} levels deep")
            return TRUE
        parts = []
        for key, value in given.items():
            place = (*where, key)
            if key in ("all", "any"):
                combined = [self.condition((*place, n), one, names) for n, one in enumerate(self.listed(place, value))]
                parts.append(both(*combined) if key == "all" else any_of(combined))
            elif key == "not":
                parts.append(negated(self.condition(place, value, names)))
            else:
                parts.append(self.test(place, key, value, names))
        return both(*parts)

    def listed(self, where: Where, value: Any) -> list[Any]:
        if isinstance(value, list) and value:
            return value
        self.wrong(where, "expected a list of conditions")
        return []

    def test(self, where: Where, name: str, value: Any, names: Names) -> Condition:
        if name not in self.table and event_field(name) is None:
            self.wrong(where, f"{name}: {_no_field(name)}; a rule that is not about audit events does not belong here")
            return TRUE
        target = names.field(name)
        if value is None:
            self.wrong(where, f"{name}: null; write {{exists: false}} for a field that must be absent")
            return TRUE
        try:
            model = TestModel.model_validate(value if isinstance(value, dict) else {"equals": value})
        except ValidationError as invalid:
            shown = [one.alias or key for key, one in TestModel.model_fields.items()]
            for key in dict.fromkeys(str(error["loc"][0]) for error in invalid.errors()):
                message = f"unknown key {key}{did_you_mean(key, shown)}; expected {', '.join(shown)}"
                if key in shown:
                    message = f"{name}: {key}: expected {_EXPECTED.get(key, 'a text, or a list of texts')}"
                self.wrong((*where, key), message)
            return TRUE
        return self.compared(where, target, model)

    def compared(self, where: Where, target: Field, model: TestModel) -> Condition:
        parts: list[Condition] = []
        for key, operator in _OPERATORS.items():
            given = getattr(model, key)
            if given is None:
                continue
            values = tuple(map(_text, given if isinstance(given, list) else [given]))
            if not values:
                self.wrong(where, "an empty list of values: no value is one of them")
            self.check(where, operator, values)
            parts.append(Test(target, operator, values, every=model.every, fold=model.ignore_case))
        if model.exists is not None:
            exists = Test(target, Operator.EXISTS)
            parts.append(exists if model.exists else negated(exists))
        if not parts:
            self.wrong(where, "expected how the value is compared, such as {contains: text}")
        return both(*parts)

    def check(self, where: Where, operator: Operator, values: tuple[str, ...]) -> None:
        for value in values:
            try:
                if operator is Operator.REGEX:
                    checked_regex(value)
                elif operator is Operator.IN_NETWORK:
                    checked_network(value)
            except Untranslatable as reason:
                self.wrong(where, str(reason))


def _text(value: Any) -> str:
    """A value as JSON has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
