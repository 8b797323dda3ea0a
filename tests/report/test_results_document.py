"""docs/results.md, the models of results.json and its schema name the same keys."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema

from auditproof import content
from auditproof.report.model import results_parts, results_text
from tests.report.test_report import proof, report
from tools.results_schema import SCHEMA as FILE
from tools.results_schema import schema_text

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = content.root()
SCHEMA: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
SHARED = {
    "change.old", "change.new", "change.changes[].new", "lint.ignored[]", "requirements[].beyond[]",
    "gate.unused[]", "gate.expired[]", "gate.allowed[]",
    "requirementEntries.unneeded[]", "requirementEntries.expired[]", "requirementEntries.unchecked[]",
}  # of a form that is described elsewhere in the document  # fmt: skip


def keys(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in schema.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from below(value, f"{prefix}{name}")


def below(value: dict[str, Any], path: str) -> Iterator[str]:
    if path in SHARED:
        return
    for one in value.get("anyOf", ()):
        yield from below(one, path)
    if "$ref" in value:
        value = SCHEMA["$defs"][value["$ref"].rpartition("/")[2]]
    yield from keys(value, f"{path}.")
    if "items" in value:
        yield from below(value["items"], f"{path}[]")


def test_the_schema_is_what_the_models_say() -> None:
    """``make schema`` was run after the last change of the models."""
    assert FILE.read_text(encoding="utf-8") == schema_text()


def test_every_key_is_described_and_nothing_else() -> None:
    table = [line for line in (ROOT / "docs/results.md").read_text().splitlines() if line.startswith("| `")]
    described = [key for line in table for key in re.findall(r"`([^`]+)`", line.split(" | ")[0])]

    assert sorted(described) == sorted(set(described))
    assert set(described) == set(keys(SCHEMA))


def test_what_is_written_keeps_to_the_schema() -> None:
    written = json.loads(results_text(report(proof("a"), proof("b", "VIOLATED"), planned=("c",))))
    jsonschema.Draft202012Validator(SCHEMA).validate(written)


def test_a_part_of_the_text_holds_one_proof_at_most() -> None:
    """So that the memory of a large report is that of its proofs, however long its text is."""
    written = report(*(proof(f"case-{number}") for number in range(300)))
    parts = list(results_parts(written))

    assert "".join(parts) == results_text(written)
    assert [part.count('"id": "case-') for part in parts] == [0, *([1] * 300), 0]
