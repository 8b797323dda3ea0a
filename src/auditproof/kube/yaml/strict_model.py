"""Validates auditproof's own files (cases, profiles, requirements) with pydantic models.

Every problem has its line and column, which pydantic does not know: they are those of the node at its path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from auditproof.errors import SHOWN_PROBLEMS, Position, Problem, SourceError
from auditproof.kube.yaml.yaml_text import Mapping, Node, parse_yaml
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails


class Strict(BaseModel):
    """A model that rejects unknown keys and converts nothing.

    ``OTHER_WORDS`` of a file's model are words that users write for one of its keys, and that no misspelling leads to.
    """

    OTHER_WORDS: ClassVar[dict[str, str]] = {}
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """The model itself, which nothing changes: pydantic copies a default value for each of thousands of cases."""
        return self


M = TypeVar("M", bound=Strict)


def read_model(path: Path, model: type[M]) -> tuple[M, Node]:
    """Return the file as a ``model``, and its tree, which has the positions for later findings.

    Raises SourceError with every problem.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError([Problem(Position(str(path), 1, 1), f"cannot be read: {error.strerror}")]) from None
    root = parse_yaml(data, str(path))
    repeated = list(_repeated(root))
    try:
        checked = model.model_validate(root.plain())
    except ValidationError as invalid:
        known = _keys(model.model_json_schema())
        meant = model.OTHER_WORDS
        errors = invalid.errors(include_url=False, include_context=False, include_input=False)
        # A suggestion compares a key with every known one, so only problems that are shown get one.
        found = [_problem(root, error, known if n < SHOWN_PROBLEMS else {}, meant) for n, error in enumerate(errors)]
        raise SourceError(sorted([*repeated, *found], key=lambda problem: problem.position)) from None
    if repeated:
        raise SourceError(repeated)
    return checked, root


def _repeated(root: Node) -> Iterator[Problem]:
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node.value, Mapping):
            for key, position in node.value.repeated:
                yield Problem(position, f'duplicate key "{key}"')
            pending += node.value.entries.values()
        elif isinstance(node.value, tuple):
            pending += node.value


def _problem(root: Node, error: ErrorDetails, known: dict[str, set[str]], meant: dict[str, str]) -> Problem:
    """A pydantic error with its position; ``known`` are all keys, with those that they belong under.

    ``meant`` are other words for some of them.
    """
    loc, text = error["loc"], error["msg"]
    last = loc[-1:] if error["type"] in ("extra_forbidden", "missing") else ()
    path = _path(root, loc[: len(loc) - len(last)])
    node = root.at(path)
    position = node.position
    if error["type"] == "extra_forbidden" and isinstance(node.value, Mapping):
        position = node.value.keys.get(str(last[0]), position)
        word = str(last[0])
        advice = f'; write "{meant[word]}"' if word in meant.keys() - known.keys() else _advice(word, path, known)
        text = f'unknown key "{word}"{advice}'
    path += last
    name = ".".join(str(step) for step in path) or "the file"
    return Problem(position, f"{name}: {text}")


def _advice(key: str, path: tuple[str | int, ...], known: dict[str, set[str]]) -> str:
    """The end of a message about an unknown key at ``path``: where it belongs, or else a similar key."""
    if key not in known:
        return did_you_mean(key, sorted(known))
    here = next((step for step in reversed(path) if isinstance(step, str)), "")
    others = sorted(known[key] - {here}, key=lambda place: (not place, place))
    places = [f'"{place}"' if place else "the top level" for place in others]
    return f"; it belongs under {' or '.join(places)}" if places else ""


def _path(root: Node, steps: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Pydantic's path without the steps that name alternatives of a union, unless the file has such a key."""
    path: tuple[str | int, ...] = ()
    node = root
    for step in steps:
        child = root.at((*path, step))
        names_alternative = isinstance(step, str) and ("[" in step or step[:1].isupper())
        if child is not node or not names_alternative:
            path, node = (*path, step), child
    return path


def _keys(schema: dict[str, Any]) -> dict[str, set[str]]:
    """Every key of a JSON Schema with the keys that it belongs under; an empty text is the top level."""
    parents: dict[str, set[str]] = {}
    for one in (schema, *schema.get("$defs", {}).values()):
        for key, value in one.get("properties", {}).items():
            for reference in _references(value):
                parents.setdefault(reference, set()).add(key)
    found: dict[str, set[str]] = {key: {""} for key in schema.get("properties", {})}
    for name, one in schema.get("$defs", {}).items():
        for key in one.get("properties", {}):
            found.setdefault(key, set()).update(parents.get(f"#/$defs/{name}", ()))
    return found


def _references(schema: Any) -> Iterator[str]:
    """The definitions that a part of a JSON Schema refers to."""
    if isinstance(schema, dict):
        yield from ([schema["$ref"]] if "$ref" in schema else [])
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
