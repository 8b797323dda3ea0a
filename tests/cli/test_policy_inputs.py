"""Each row of docs/inputs.md, section Policies: the command does what the row says, on the files of that name."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from auditproof.cli.main import main

ROOT = Path(__file__).parent.parent.parent
FILES = ROOT / "tests" / "audit" / "policy_sources" / "files"
SECTION = (ROOT / "docs" / "inputs.md").read_text().partition("\n## Policies\n")[2].partition("\n## ")[0]
ROWS = [
    (example, read)
    for _, example, read in re.findall(r"^\| (.+?) \| `(auditproof .+?)` \| (.+?) \|$", SECTION, re.MULTILINE)
]
LINTED = [(example, read) for example, read in ROWS if example.startswith("auditproof lint ")]
REFUSED = {
    "openshift.yaml": "WriteRequestBodies records",
    "shoot.yaml": "the policy is in the ConfigMap auditpolicy",
    "chart.yaml.tpl": "this looks like a template (Helm)",
    "v1beta1.yaml": "audit.k8s.io/v1beta1 was removed in Kubernetes 1.24: write apiVersion: audit.k8s.io/v1",
}


def test_the_table_has_a_row_for_each_of_our_files() -> None:
    named = {word.partition("#")[0] for example, _ in LINTED for word in shlex.split(example)}
    assert {path.name for path in FILES.iterdir()} <= named
    assert len(ROWS) == SECTION.count("`auditproof ")


@pytest.mark.parametrize(("example", "read"), LINTED, ids=[example for example, _ in LINTED])
def test_lint_reads_what_the_row_says(
    example: str, read: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FILES)
    words = shlex.split(example)[1:]
    if "<" in words:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(Path(words.pop()).read_bytes())))
        words.remove("<")
    code = main([*words, "--format", "json"])
    policies = json.loads(capsys.readouterr().out)["policies"]
    paths = [policy["path"] for policy in policies]
    if read.startswith("nothing"):
        (finding, *_) = policies[0]["findings"]
        assert (code, paths, finding["code"]) == (4, [words[1]], "AP001")
        assert REFUSED[words[1]] in finding["message"]
    elif words[1] == ".":
        others = [names for other, names in LINTED if other != example and "documents" not in other]
        singles = {name for names in others for name in _names(names) if not name.startswith("standard input")}
        assert singles <= set(paths)
    else:
        assert (code, paths) == (0, _names(read))
        # Every policy has a rule that its last one makes redundant, and nothing else: so it was read as a whole.
        assert [[finding["code"] for finding in policy["findings"]] for policy in policies] == [["AP207"]] * len(paths)


def _names(read: str) -> list[str]:
    return re.findall("`([^`]+)`", read)


def test_diff_reads_a_git_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = (example for example, _ in ROWS if "git:main" in example)
    monkeypatch.chdir(tmp_path)
    policy = tmp_path / "policies" / "prod.yaml"
    policy.parent.mkdir()
    policy.write_bytes((FILES / "configmap.yaml").read_bytes())
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *who, *command], check=True, capture_output=True)
    assert main(shlex.split(example)[1:]) == 0
    policy.write_bytes((FILES / "configmap.yaml").read_bytes().replace(b"level: Metadata", b"level: Request"))
    assert main(shlex.split(example)[1:]) == 1
    assert "git:main:policies/prod.yaml#data.policy.yaml" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        ["explain", "POLICY", "--user", "alice", "--verb", "get", "--path", "/healthz"],
        ["requirements", "POLICY"],
        ["mutate", "POLICY", "--requirements", "baseline"],
        ["evaluate", "POLICY", "--requests", "requests.jsonl"],
        ["diff", "POLICY", "POLICY"],
    ],
    ids=lambda command: command[0],
)
def test_each_command_reads_a_policy_inside_a_document_and_lists_several(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("configmap.yaml", "talos.yaml"):
        (tmp_path / name).write_bytes((FILES / name).read_bytes())
    (tmp_path / "requests.jsonl").write_text('{"user": "alice", "verb": "get", "path": "/healthz"}\n')
    assert main(["configmap.yaml" if word == "POLICY" else word for word in command]) in (0, 1)
    capsys.readouterr()
    assert main(["talos.yaml" if word == "POLICY" else word for word in command]) in (2, 4)
    assert "name one of them:\n  talos.yaml#1/cluster.apiServer.auditPolicy\n" in capsys.readouterr().err


def test_explain_names_the_line_of_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FILES)
    lines = (FILES / "configmap.yaml").read_text().splitlines()
    assert main(["explain", "configmap.yaml", "--user", "alice", "--verb", "get", "--path", "/healthz"]) == 0
    (deciding,) = re.findall(r"configmap\.yaml:(\d+): rule 2 decides", capsys.readouterr().out)
    assert lines[int(deciding) - 1].strip() == "- level: None"


@pytest.mark.parametrize("form", ["sarif", "github"])
def test_a_finding_inside_base64_is_annotated_where_the_file_has_it(
    form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(
        "kind: Secret\napiVersion: v1\ndata:\n  p: YXBpVmVyc2lvbjogYXVkaXQuazhzLmlvL3YxCmtpbmQ6IFBvbGljeQo=\n"
    )
    assert main(["lint", "s.yaml", "--format", form]) == 4
    said = capsys.readouterr().out
    assert "inside data.p, line 1: a policy needs at least one rule" in said
    assert ('"startLine": 4' if form == "sarif" else "file=s.yaml,line=4,col=6,") in said
    assert '"uri": "s.yaml"' in said or form == "github"
