"""The JSON Schemas of the files that people write for auditproof, of results.json, and of audit policies themselves.

Those of auditproof's own files are generated from the models that also validate the files, so they cannot disagree in
what they say; a loader checks more, such as names that must be in the same file.
"""

from __future__ import annotations

import json
from importlib import import_module, resources
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from auditproof import content

if TYPE_CHECKING:
    from auditproof.kube.yaml.strict_model import Strict

TITLES = {
    "case": "A case file of auditproof (*.audit.yaml)",
    "requirements": "A requirements file of auditproof",
    "changes": "Changes and unmet requirements that are acknowledged (audit-changes.yaml)",
    "profile": "A cluster profile of auditproof",
    "results": "The results of a run of auditproof (results.json)",
    "policy": "An audit policy of Kubernetes (audit.k8s.io/v1)",
}
_MODELS = {
    "case": ("auditproof.cases.schema", "CaseFileModel"),
    "requirements": ("auditproof.analysis.requirements.schema", "RequirementsModel"),
    "changes": ("auditproof.analysis.gate.schema", "AcknowledgedChangesModel"),
    "profile": ("auditproof.clusters.profile", "ProfileModel"),
}


class Untitled(GenerateJsonSchema):
    """Without a title for each key, which would only repeat it."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - as the base class has it
        """Never."""
        return False


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) called ``name``, one of TITLES.

    Raises KeyError if there is none of this name.
    """
    head = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"{content.SITE}/schemas/{file_name(name)}",
        "title": TITLES[name],
    }
    return {**head, **{key: value for key, value in _body(name).items() if key not in head}}


def schema_text(name: str) -> str:
    """The schema as the text of a file."""
    return json.dumps(schema_of(name), indent=1, ensure_ascii=False) + "\n"


def file_name(name: str) -> str:
    """The name of the file that a schema is written to."""
    return f"{name}.schema.json"


def _body(name: str) -> dict[str, Any]:
    if name == "policy":
        from auditproof.audit.policy.schema import policy_schema

        return policy_schema()
    if name == "results":
        text = (resources.files("auditproof.report") / "results.schema.json").read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(text)
        return found
    module, model = _MODELS[name]
    return _generated(getattr(import_module(module), model))


def _generated(model: type[Strict]) -> dict[str, Any]:
    """The schema of a model, with its docstrings as an editor shows them."""
    schema = model.model_json_schema(by_alias=True, mode="validation", schema_generator=Untitled)
    for definition in (schema, *schema.get("$defs", {}).values()):
        definition.pop("title", None)
        if "description" in definition:
            definition["description"] = definition["description"].replace("``", "`")
        for key in definition.get("properties", {}).values():
            # An editor would offer to insert these.
            if not key.get("default", True) or isinstance(key.get("default"), dict):
                del key["default"]
    return schema
