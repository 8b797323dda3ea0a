"""Unknown keys of auditproof's own files: where they belong, and never "did you mean" the same word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditproof.analysis.gate.schema import AcknowledgedChangesModel
from auditproof.analysis.requirements.schema import RequirementsModel
from auditproof.cases.schema import CaseFileModel
from auditproof.clusters.profile import ProfileModel
from auditproof.errors import SourceError
from auditproof.kube.yaml.strict_model import Strict, read_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODELS = [CaseFileModel, RequirementsModel, AcknowledgedChangesModel, ProfileModel]


def keys(schema: dict[str, Any]) -> Iterator[str]:
    """Every key that a file of this kind can have, wherever."""
    for one in (schema, *schema.get("$defs", {}).values()):
        yield from one.get("properties", {})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_key_of_another_place_is_told_with_that_place(model: type[Strict], tmp_path: Path) -> None:
    schema = model.model_json_schema()
    elsewhere = sorted(set(keys(schema)) - set(schema["properties"]))
    path = tmp_path / "file.yaml"
    for key in elsewhere:
        path.write_text(f"{key}: 1\n")

        with pytest.raises(SourceError) as caught:
            read_model(path, model)

        (told,) = (problem.message for problem in caught.value.problems if "unknown key" in problem.message)
        assert told.startswith(f'{key}: unknown key "{key}"; it belongs under "')
