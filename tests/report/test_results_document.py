"""docs/results.md and the schema of results.json name the same keys."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from auditproof import content
from auditproof.kube.identity import IdentityKind
from auditproof.proof.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = content.root()
SCHEMA: dict[str, Any] = json.loads((ROOT / "src/auditproof/report/results.schema.json").read_text())
SHARED = {"change.old", "change.new", "lint.ignored[]"}  # of a form that is described elsewhere in the document


def keys(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in schema.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from below(value, f"{prefix}{name}")


def below(value: dict[str, Any], path: str) -> Iterator[str]:
    if path in SHARED:
        return
    if "$ref" in value:
        value = SCHEMA["$defs"][value["$ref"].rpartition("/")[2]]
    yield from keys(value, f"{path}.")
    if "items" in value:
        yield from below(value["items"], f"{path}[]")


def test_every_key_is_described_and_nothing_else() -> None:
    table = [line for line in (ROOT / "docs/results.md").read_text().splitlines() if line.startswith("| `")]
    described = [key for line in table for key in re.findall(r"`([^`]+)`", line.split(" | ")[0])]

    assert sorted(described) == sorted(set(described))
    assert set(described) == set(keys(SCHEMA))


def test_the_schema_knows_every_identity_and_every_verdict() -> None:
    proof = SCHEMA["$defs"]["proof"]["properties"]
    assert set(proof["identity"]["properties"]["kind"]["enum"]) == {*IdentityKind, "recorded"}
    assert set(proof["verdict"]["enum"]) == {*Outcome, "NOT_SUPPORTED"}
