"""Generates docs/coverage.md: which case or test demonstrates which fact of suites/facts.yaml. ``make facts``."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from auditproof import content
from auditproof.cases.load import load_case_file
from auditproof.kube.yaml.strict_model import Strict, read_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ROOT = content.root()
DOCUMENT = ROOT / "docs" / "coverage.md"
HEAD = """\
# Coverage: facts about the audit log

<!-- Written by `make facts` from `suites/facts.yaml` and the marks of the cases (`covers:`, `@pytest.mark.covers`). -->

Look up which behaviours of the audit log are demonstrated on a real API server, and by which cases.

| | fact | demonstrated by |
| --- | --- | --- |
"""


class Fact(Strict):
    """One fact, and where the code makes it so or users asked; ``without`` says why no server can show it."""

    id: str = Field(pattern=r"^[TU]\d+$")
    says: str = Field(min_length=1)
    source: str = ""
    asked: str = ""
    without: str = ""


class FactsModel(Strict):
    """The list of facts."""

    api_version: Literal["auditproof/v1"] = Field(alias="apiVersion")
    kind: Literal["Facts"]
    facts: list[Fact]


@dataclass(frozen=True, slots=True, order=True)
class Shown:
    """A case or test that shows a fact."""

    fact: str
    path: Path
    name: str


def load_facts() -> list[Fact]:
    """Every fact, in the order of the file."""
    return read_model(ROOT / "suites" / "facts.yaml", FactsModel)[0].facts


@cache
def shown() -> tuple[Shown, ...]:
    """The facts that every case and every test claims to demonstrate, in the order of the files; read once."""
    return (*_by_cases(), *_by_tests())


def _by_cases() -> Iterator[Shown]:
    for path in sorted((ROOT / "suites").rglob("*.audit.yaml")):
        for case in load_case_file(path).cases:
            yield from (Shown(fact, path, case.id) for fact in case.covers)


def _by_tests() -> Iterator[Shown]:
    for path in (*sorted((ROOT / "suites").rglob("test_*.py")), *sorted((ROOT / "tests").rglob("test_*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield from (Shown(fact, path, node.name) for fact in _marked(node.decorator_list))


def _marked(decorators: Iterable[ast.expr]) -> Iterator[str]:
    """The ids in every ``pytest.mark.covers(...)``, those of single parameters as well."""
    for decorator in decorators:
        for node in ast.walk(decorator):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.covers":
                yield from (ast.literal_eval(argument) for argument in node.args)


def document() -> str:
    """The text of docs/coverage.md."""
    by_fact = {fact: list(rows) for fact, rows in groupby(sorted(shown()), key=lambda row: row.fact)}
    return HEAD + "".join(_row(fact, by_fact.get(fact.id, [])) for fact in load_facts())


def _row(fact: Fact, rows: list[Shown]) -> str:
    origin = f"`{fact.source}`" if fact.source else fact.asked
    return f"| {fact.id} | {fact.says}<br>{origin} | {_places(rows) or fact.without} |\n"


def _places(rows: list[Shown]) -> str:
    places = []
    for path, group in groupby(rows, key=lambda row: row.path.relative_to(ROOT)):
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(row.name for row in group))
        places.append(f"[{path}](../{path}): {names}")
    return "<br>".join(places)


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
