"""``auditproof detections``, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditproof.cli.main import main

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  userGroups: ["system:serviceaccounts:kube-system"]
- level: Metadata
  omitStages: ["RequestReceived"]
"""
RULES = """\
title: A Pod with a host path
id: 6d3f6b2e-3f0c-4b65-8b0e-0d2f5d0f3a11
level: high
tags: [attack.t1611]
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: create, objectRef.resource: pods, requestObject.spec.volumes.hostPath.path: /etc}
  condition: selection
---
title: A secret is listed
id: 7d3f6b2e-3f0c-4b65-8b0e-0d2f5d0f3a12
level: low
tags: [attack.t1552.007]
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: list, objectRef.resource: secrets, user.username: alice}
  condition: selection
---
title: Exec
id: 8d3f6b2e-3f0c-4b65-8b0e-0d2f5d0f3a13
logsource: {product: kubernetes, service: audit}
detection:
  selection: {objectRef.subresource: exec}
  condition: selection
---
title: Never
id: 9d3f6b2e-3f0c-4b65-8b0e-0d2f5d0f3a14
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: delete, responseStatus.code: ALLOW}
  condition: selection
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(POLICY)
    Path("old.yaml").write_text(
        POLICY.replace("level: None", "level: Request").replace("level: Metadata", "level: Request")
    )
    Path("rules.yml").write_text(RULES)


def test_each_rule_is_fed_or_not_with_the_line_to_blame(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detections", "policy.yaml", "--rules", "rules.yml"]) == 1
    text = capsys.readouterr().out
    assert text.startswith(
        "policy.yaml feeds 1 of 4 detection rules on Kubernetes 1.37; 1 PARTLY, 1 BLIND, 1 IMPOSSIBLE.\n"
    )
    assert "BLIND     A Pod with a host path (rules; high; rules.yml:1)" in text
    assert "recorded at Metadata, with events at ResponseComplete (policy.yaml:6, rule 2)" in text
    assert "remedy    in front of line 6, add a rule for these requests with level: Request" in text
    assert "PARTLY    Exec" in text
    assert "any other service account of kube-system" in text
    assert "never     responseStatus.code = ALLOW" in text
    assert "A secret is listed" not in text


def test_all_lists_fed_rules_too(capsys: pytest.CaptureFixture[str]) -> None:
    main(["detections", "policy.yaml", "--rules", "rules.yml", "--all"])
    text = capsys.readouterr().out
    assert "FED       A secret is listed" in text
    assert "sees      list secrets" in text


def test_a_change_is_judged_by_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["detections", "policy.yaml", "--rules", "rules.yml", "--base"]
    assert main([*asked, "policy.yaml"]) == 0  # nothing is lost by it
    assert "The change takes no request from any of 4 detection rules." in capsys.readouterr().out
    assert main([*asked, "old.yaml"]) == 1
    text = capsys.readouterr().out
    assert "The change takes requests from 2 of 4 detection rules and blinds 1 of them." in text
    assert "BLIND     A Pod with a host path (before: FED)" in text


@pytest.mark.parametrize(
    ("fail_on", "code"), [("blind", 1), ("partly", 1), ("never", 0), ("lost", 4)], ids=lambda given: str(given)
)
def test_fail_on_chooses_what_fails(fail_on: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detections", "policy.yaml", "--rules", "rules.yml", "--fail-on", fail_on]) == code
    assert ("--fail-on lost needs --base OLD" in capsys.readouterr().err) is (code == 4)


def test_a_rule_that_is_not_read_is_never_green(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rules.yml").write_text(RULES.split("---\n")[1].replace("verb: list", "verb|expand: '%verbs%'"))
    asked = ["detections", "policy.yaml", "--rules", "rules.yml"]
    assert main(asked) == 5
    text = capsys.readouterr().out
    assert "feeds 0 of 0 detection rules on Kubernetes 1.37; 1 NOT READ." in text
    assert "NOT READ  A secret is listed" in text
    assert main([*asked, "--ignore-not-read"]) == 0


def test_the_forms_tell_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["detections", "policy.yaml", "--rules", "rules.yml", "--base", "old.yaml", "--format"]
    assert main([*asked, "json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["counts"] == {"FED": 1, "PARTLY": 1, "BLIND": 1, "IMPOSSIBLE": 1, "NOT READ": 0, "worse": 2}
    assert [rule["feed"] for rule in data["rules"]] == ["BLIND", "PARTLY", "IMPOSSIBLE", "FED"]
    assert data["rules"][0]["lost"][0]["needs"][0] == {"level": "Request", "stage": "ResponseComplete"}
    main([*asked, "markdown"])
    text = capsys.readouterr().out
    assert text.startswith("**The change takes requests from 2 of 4 detection rules")
    assert "| A Pod with a host path (rules) | BLIND | FED |" in text
    main([*asked, "sarif"])
    results = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert list(dict.fromkeys(one["ruleId"] for one in results)) == ["BLIND", "PARTLY", "IMPOSSIBLE"]
    place = results[0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]) == ("policy.yaml", {"startLine": 6})
    main([*asked, "navigator"])
    layer = json.loads(capsys.readouterr().out)
    assert [(one["techniqueID"], one["score"]) for one in layer["techniques"]] == [("T1552.007", 100), ("T1611", 0)]


def test_sarif_names_files_from_the_root_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Code scanning drops what is named from the working directory of the step."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path.parent))
    main(["detections", "policy.yaml", "--rules", "rules.yml", "--format", "sarif"])
    results = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    found = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results}
    assert found == {f"{tmp_path.name}/policy.yaml", f"{tmp_path.name}/rules.yml"}


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (["nowhere.yaml", "--rules", "rules.yml"], "nowhere.yaml"),
        (["policy.yaml", "--rules", "nowhere/"], "nowhere"),
        (["policy.yaml", "--rules", "policy.yaml"], "policy.yaml"),
    ],
)
def test_bad_input_is_an_error_in_a_sentence(
    argument: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detections", *argument]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert expected in captured.err
    assert "Traceback" not in captured.err


def test_the_gate_of_diff_forbids_blinding_a_rule(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["diff", "old.yaml", "policy.yaml", "--detections", "rules.yml", "--forbid"]
    assert main([*asked, "blind"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("This change may not go in: it blinds 1 detection rule.\n")
    assert "FORBIDDEN blind: A Pod with a host path (rules): create pods" in text
    assert main(["diff", "old.yaml", "old.yaml", *asked[3:], "blind"]) == 0
    assert "may go in" in capsys.readouterr().out
    assert main([*asked, "lost"]) == 4
    assert main([*asked[:3], "--forbid", "blind"]) == 4
    assert "need each other" in capsys.readouterr().err


def test_the_gate_accepts_no_rule_that_it_cannot_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rules.yml").write_text(RULES.split("---\n")[1].replace("verb: list", "verb|expand: '%verbs%'"))
    assert main(["diff", "policy.yaml", "policy.yaml", "--detections", "rules.yml", "--forbid", "blind"]) == 4
    assert "cannot be read in full" in capsys.readouterr().err
