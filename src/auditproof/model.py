"""Files of ours (cases, profiles) held against their pydantic model: every problem with its line and column.

pydantic stays at this edge; what leaves here is checked.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from auditproof.errors import Position, Problem, SourceError
from auditproof.source import Mapping, Node, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails


class Strict(BaseModel):
    """A model that takes no unknown key and converts nothing."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


M = TypeVar("M", bound=Strict)


def read_model(path: Path, model: type[M]) -> tuple[M, Node]:
    """The file as a ``model``, and its tree for the places of later findings.

    Raises SourceError with everything that is wrong.
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
        found = [_problem(root, error, model) for error in invalid.errors()]
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
                yield Problem(position, f'the key "{key}" is there twice')
            pending += node.value.entries.values()
        elif isinstance(node.value, tuple):
            pending += node.value


def _problem(root: Node, error: ErrorDetails, model: type[BaseModel]) -> Problem:
    path = tuple(step for step in error["loc"] if _is_step(step))
    node = root.at(path)
    position = node.position
    text = error["msg"]
    if error["type"] == "extra_forbidden":
        parent = root.at(path[:-1])
        if isinstance(parent.value, Mapping) and path[-1] in parent.value.keys:
            position = parent.value.keys[str(path[-1])]
        text = f'unknown key "{path[-1]}"{_suggestion(str(path[-1]), model)}'
    name = ".".join(str(step) for step in path) or "the file"
    return Problem(position, f"{name}: {text}")


def _is_step(step: Any) -> bool:
    return isinstance(step, int) or (isinstance(step, str) and "[" not in step and not step[:1].isupper())


def _suggestion(key: str, model: type[BaseModel]) -> str:
    known = sorted(set(_keys(model.model_json_schema())))
    guess = difflib.get_close_matches(key, known, n=1)
    return f'; did you mean "{guess[0]}"?' if guess else ""


def _keys(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from _keys(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _keys(value)
