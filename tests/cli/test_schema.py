"""The schemas of ``auditproof schema``: they accept what the loaders accept, refuse what those refuse, and explain."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from auditproof.audit.policy.decode import read_text
from auditproof.audit.policy.load import parse_policy
from auditproof.cli.main import main
from auditproof.cli.schema import NAMES
from auditproof.cli.schemas import TITLES, schema_of
from auditproof.content import root
from auditproof.errors import PolicyRefused
from auditproof.kube.yaml.yaml_text import parse_yaml
from tests.support.broken import BROKEN, data_of

if TYPE_CHECKING:
    from pathlib import Path

ROOT = root()
LOADED = json.loads((ROOT / "tests" / "vectors" / "load.json").read_text())["cases"]
LARGE = 50_000  # bytes; what is broken about such a policy is its size or depth, which takes a validator minutes
POLICIES = {case["name"]: case["policy"].encode() for case in LOADED} | {
    case["name"]: data for case in BROKEN if len(data := data_of(case)) < LARGE and not case["name"].startswith("deep-")
}
EXCEPTIONS = {
    # A schema sees data, in which each key is there once.
    *("20-dup-key-level", "21-dup-top-rules", "27-json-dup", "53-anchors", "twice-rules", "twice-kind"),
    "text-json-twice",
    *(f"rule-{key}-twice" for key in ("level", "users", "userGroups", "verbs", "resources", "namespaces")),
    *(f"rule-{key}-twice" for key in ("nonResourceURLs", "omitStages", "omitManagedFields")),
    # The server takes an empty kind for Policy; an editor should not offer it.
    *("kind-is-null", "kind-is-empty"),
}
ODD = ROOT / "fixtures" / "policies" / "lenient.yaml"
SHIPPED = {
    "case": sorted((ROOT / "suites").rglob("*.audit.yaml")),
    "requirements": sorted((ROOT / "suites" / "requirements").glob("*.yaml")),
    "profile": sorted((ROOT / "clusters").glob("*.yaml")),
    # What is odd in lenient.yaml is its subject.
    "policy": sorted(set((ROOT / "fixtures" / "policies").rglob("*.yaml")) - {ODD}),
}
CHANGES = """\
apiVersion: auditproof/v1
kind: AcknowledgedChanges
changes:
- requests: [{resources: [pods/exec], verbs: [create]}]
  effects: [lost-events]
  because: Admission refuses exec.
  approvedBy: security-team
  ticket: CHG-1042
  until: 2027-01-31
requirements:
- {requirement: cis/cis-3-2-1, because: No room, approvedBy: zoe}
"""


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = schema_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def read(path: Path) -> Any:
    return parse_yaml(path.read_bytes(), str(path)).plain()


@pytest.mark.parametrize(("name", "paths"), SHIPPED.items(), ids=SHIPPED)
def test_every_shipped_file_is_valid(name: str, paths: list[Path]) -> None:
    checked = validator(name)
    assert [path.name for path in paths if not checked.is_valid(read(path))] == []


def test_a_file_of_acknowledged_changes_is_valid() -> None:
    data = parse_yaml(CHANGES.encode(), "audit-changes.yaml").plain()
    validator("changes").validate(data)
    assert not validator("changes").is_valid({**data, "change": []})
    misspelt = CHANGES.replace("lost-events", "lost-event").encode()
    assert not validator("changes").is_valid(parse_yaml(misspelt, "audit-changes.yaml").plain())


def test_a_requirement_has_one_level() -> None:
    data = read(SHIPPED["requirements"][0])
    level = data["requirements"][0]["level"]
    assert len(level) == 1
    level |= {"atMost": "Request", "exactly": "Request"}
    assert not validator("requirements").is_valid(data)


@pytest.mark.parametrize(("name", "paths"), SHIPPED.items(), ids=SHIPPED)
def test_an_unknown_key_is_invalid_wherever_it_is(name: str, paths: list[Path]) -> None:
    """But for manifests and maps of names, which may have any key."""
    checked = validator(name)
    free = {"given", "identities", "object", "body", "event", "metadata", "flags", "auditLog", "headers", "query"}
    for path in sorted(paths, key=lambda path: path.stat().st_size)[:4]:
        data = read(path)
        tried = 0
        for mapping in mappings(data, free):
            mapping["levle"] = "Metadata"
            assert not checked.is_valid(data), (path, mapping)
            del mapping["levle"]
            tried += 1
        assert tried
        checked.validate(data)


def mappings(value: Any, free: set[str]) -> list[dict[str, Any]]:
    """All mappings in a value, except those below keys that are ``free``."""
    if isinstance(value, dict):
        return [value, *(one for key, held in value.items() if key not in free for one in mappings(held, free))]
    return [one for item in value for one in mappings(item, free)] if isinstance(value, list) else []


def test_the_schema_of_policies_agrees_with_the_loader() -> None:
    """Valid is what the server loads without a warning, and nothing else, as far as a schema can say."""
    checked = validator("policy")
    compared, disagree = 0, set()
    for name, data in POLICIES.items():
        try:
            plain = read_text(data, "policy.yaml").root.plain()
        except PolicyRefused:
            continue  # it is no YAML, so there is nothing to validate
        compared += 1
        if checked.is_valid(plain) != loads_without_a_warning(data):
            disagree.add(name)
    assert compared > 350
    assert disagree == EXCEPTIONS


def loads_without_a_warning(data: bytes) -> bool:
    try:
        return not parse_policy(data, "policy.yaml").warnings
    except PolicyRefused:
        return False


@pytest.mark.parametrize("name", NAMES)
def test_an_editor_shows_what_each_key_means(name: str) -> None:
    schema = schema_of(name)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].endswith(f"/{name}.schema.json")
    assert schema["title"] == TITLES[name]
    assert schema["description"]
    silent = {
        f"{definition}.{key}"
        for definition, held in [("", schema), *schema["$defs"].items()]
        for key, value in held.get("properties", {}).items()
        if not ("description" in value or "$ref" in value or key in ("apiVersion", "kind"))
    }
    if name == "policy":  # metadata has no effect
        silent = {key for key in silent if key.startswith(("Policy", "GroupResources", "."))}
    if name != "results":  # a program writes it
        assert silent == set()


def test_the_description_of_resources_names_its_trap() -> None:
    rules = schema_of("policy")["$defs"]
    assert "pods does not cover its subresources" in rules["GroupResources"]["properties"]["resources"]["description"]
    assert '"*" is no wildcard' in rules["PolicyRule"]["properties"]["verbs"]["description"]


def test_all_are_written_to_a_folder_and_one_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--all", str(tmp_path / "new" / "schemas")]) == 0
    written = {path.name: json.loads(path.read_text()) for path in (tmp_path / "new" / "schemas").iterdir()}
    assert written == {f"{name}.schema.json": schema_of(name) for name in NAMES}
    capsys.readouterr()
    assert main(["schema", "policy"]) == 0
    assert json.loads(capsys.readouterr().out) == schema_of("policy")
    assert main(["schema", "case", "--output", str(tmp_path / "case.json")]) == 0
    assert json.loads((tmp_path / "case.json").read_text()) == schema_of("case")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "expected either NAME or --all FOLDER"),
        (["case", "--all", "out"], "expected either NAME or --all FOLDER"),
        (["--all", "out", "--output", "x"], "--output is for one schema"),
        (["case", "--output", "/proc/nowhere/x"], "/proc/nowhere/x cannot be written: No such file or directory"),
        (["--all", "/dev/null/x"], "/dev/null/x/case.schema.json cannot be written: Not a directory"),
    ],
)
def test_what_cannot_be_written_is_an_error(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema", *arguments]) == 4
    assert says in capsys.readouterr().err


def test_the_schemas_in_the_documents_are_current() -> None:
    folder = ROOT / "docs" / "schemas"
    assert {path.name for path in folder.iterdir()} == {f"{name}.schema.json" for name in NAMES}
    for name in NAMES:
        assert json.loads((folder / f"{name}.schema.json").read_text()) == schema_of(name), "`make schema` writes them"


def test_editors_find_the_schema_of_the_case_files_that_people_write() -> None:
    for path in SHIPPED["case"]:
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        if not first.startswith("# Generated by"):
            schema = first.removeprefix("# yaml-language-server: $schema=")
            assert (path.parent / schema).resolve() == ROOT / "docs" / "schemas" / "case.schema.json", path
