"""Writes results.schema.json out of the models of results.json, and all schemas to docs/schemas (``make schema``)."""

from __future__ import annotations

import json

from pydantic.json_schema import GenerateJsonSchema

from auditproof import content
from auditproof.cli import schema
from auditproof.cli.schemas import Untitled
from auditproof.report.model import Report

FOLDER = content.root() / "docs" / "schemas"
SCHEMA = content.root() / "src/auditproof/report/results.schema.json"


def schema_text() -> str:
    """The JSON Schema (2020-12) of a report; nothing is forbidden that a later version may add."""
    schema = Report.model_json_schema(by_alias=True, mode="validation", schema_generator=Untitled)
    for definition in schema["$defs"].values():
        del definition["title"]
        if "enum" in definition:  # its docstring belongs to another room
            definition.pop("description", None)
    # A proof that names no policy is judged by the given one.
    schema["$defs"]["ProofRecord"]["required"].remove("policy")
    return json.dumps({"$schema": GenerateJsonSchema.schema_dialect, **schema}, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    schema.write_all(FOLDER)
