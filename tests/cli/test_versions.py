"""Commands without a server on several Kubernetes versions: what differs is said with the versions it is about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

ANY_GROUP = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Request
  resources: [{group: "*"}]
- level: Metadata
"""
STORAGE = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  resources: [{group: storagemigration.k8s.io}]
- level: Metadata
"""


@pytest.fixture
def any_group(tmp_path: Path) -> str:
    path = tmp_path / "any-group.yaml"
    path.write_text(ANY_GROUP)
    return str(path)


@pytest.fixture
def storage(tmp_path: Path) -> str:
    path = tmp_path / "storage.yaml"
    path.write_text(STORAGE)
    return str(path)


def written(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = main([*arguments, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_finding_is_there_once_and_names_the_versions_that_it_is_about(
    any_group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy that one of the versions refuses is refused; what is found on all versions names none."""
    code, found = written(capsys, "lint", any_group, "--kubernetes", "1.35..1.37")

    (policy,) = found["policies"]
    by_code = {finding["code"]: finding.get("kubernetes") for finding in policy["findings"]}
    assert (code, policy["refused"], found["kubernetes"]) == (4, True, "1.35, 1.36, 1.37")
    assert (by_code["AP001"], by_code["AP601"], by_code["AP603"]) == (["1.35"], ["1.36", "1.37"], ["1.36"])
    refused = next(finding for finding in policy["findings"] if finding["code"] == "AP001")
    assert refused["message"].endswith("(Kubernetes 1.35 only)")


def test_what_is_found_on_every_version_names_none(any_group: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = written(capsys, "lint", any_group, "--kubernetes", "1.36,1.37")
    _, alone = written(capsys, "lint", any_group, "--kubernetes", "1.37")

    findings = {finding["code"]: finding for finding in found["policies"][0]["findings"]}
    assert code == 1
    assert "kubernetes" not in findings["AP601"]
    assert findings["AP601"] == next(one for one in alone["policies"][0]["findings"] if one["code"] == "AP601")


def test_one_policy_on_two_versions_is_compared_by_what_only_one_of_them_serves(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = written(capsys, "diff", storage, "--kubernetes", "1.34..1.37")

    levels = {what: change["level"] for change in found["changes"] for what in change["resources"]}
    assert (code, found["kind"], found["old"][:4], found["new"][:4]) == (1, "VersionsDiff", "1.34", "1.37")
    assert levels["storageversionmigrations.storagemigration.k8s.io"] == "None"
    assert levels["devicetaintrules.resource.k8s.io"] == "Metadata"
    assert {change["servedBy"] for change in found["changes"]} == {"new"}
    assert "secrets" not in levels, "both versions serve it"


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_the_difference_between_two_versions_is_said_in_every_form(
    storage: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", storage, "--kubernetes", "1.36,1.37", "--format", form]) == 1

    out = capsys.readouterr().out
    assert "Kubernetes 1.36.3 → 1.37.2" in out
    assert "newly served: recorded at Metadata" in out
    assert "&#96;" not in out, "a witness is code, and not escaped once more"


def test_two_policies_are_compared_on_each_version_and_told_once_where_that_is_the_same(
    storage: str, any_group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = written(capsys, "diff", storage, any_group, "--kubernetes", "1.36,1.37")

    assert code == 1
    assert [one["kubernetes"] for one in found] == ["v1.36.3", "v1.37.2"]
    assert main(["diff", storage, storage, "--kubernetes", "all"]) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "diff needs NEW, or several versions: auditproof diff POLICY --kubernetes 1.35..1.37"),
        (("--kubernetes", "1.36,1.37", "--live"), "--live needs NEW; auditproof run POLICY"),
    ],
)
def test_a_policy_alone_is_compared_with_nothing(
    storage: str, arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", storage, *arguments]) == 4

    assert says in capsys.readouterr().err


def test_a_policy_that_the_older_version_refuses_is_compared_with_nothing(
    any_group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", any_group, "--kubernetes", "1.35,1.37"]) == 4

    assert 'the group "*" needs Kubernetes 1.36 or newer' in capsys.readouterr().err


def test_requirements_are_told_once_for_the_versions_on_which_they_are_the_same(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = written(capsys, "requirements", storage, "--requirements", "cis", "--kubernetes", "all")
    alone, one = written(capsys, "requirements", storage, "--requirements", "cis", "--kubernetes", "1.37")

    assert code == alone == 0
    assert [version for part in found["versions"] for version in part["kubernetes"]] == ["1.34", "1.35", "1.36", "1.37"]
    assert found["versions"][-1]["files"] == one["files"]


def test_a_version_that_is_not_known_is_said(storage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", storage, "--kubernetes", "1.33"]) == 0

    assert "what Kubernetes 1.33 serves is not known: what 1.34 serves is used instead" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["lint", "diff", "requirements"])
@pytest.mark.parametrize("version", ["1.37..1.35", "1.38..1.39", "latest", "1.36,,1.37", "1.36,1.36.3"])
def test_versions_that_mean_nothing_are_a_usage_error(
    storage: str, command: str, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, storage, "--kubernetes", version])

    assert ended.value.code in (2, 4)
    assert "argument --kubernetes: " in capsys.readouterr().err
