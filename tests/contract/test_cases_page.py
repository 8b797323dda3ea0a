"""docs/cases.md: generated, complete, and with an example of every key."""

from __future__ import annotations

import pytest

from auditproof.cases.load import case_schema, load_case_file
from auditproof.kube.kubectl import KUBECTL_VERBS
from tools.cases import DOCUMENT, PLACES, SAID_BY_KUBECTL, Place, document, examples, files

SETTINGS = "SettingsModel"  # its keys are among those of ServerModel


def test_the_page_is_generated_from_the_models_and_the_examples() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run make cases"


def test_every_model_has_its_place() -> None:
    assert {place.model.__name__ for place in PLACES} == {"CaseFileModel", *case_schema()["$defs"]} - {SETTINGS}
    assert {do.partition(":")[0] for _, do in SAID_BY_KUBECTL} == set(KUBECTL_VERBS)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.model.__name__)
def test_every_key_has_a_meaning_and_an_example(place: Place) -> None:
    keys = place.model.model_json_schema(by_alias=True)["properties"]

    assert [key for key in keys if not examples(place, key)] == []
    assert [key for key, schema in keys.items() if "description" not in schema] in ([], ["apiVersion", "kind"])


def test_no_two_examples_share_a_namespace() -> None:
    """They run on one server, in any order."""
    own = [
        {
            str(one["metadata"]["name"])
            for case in load_case_file(path).cases
            for one in case.given
            if one["kind"] == "Namespace"
        }
        for path in files()
        if path.name.endswith(".audit.yaml")
    ]

    assert sum(map(len, own)) == len(set().union(*own))
