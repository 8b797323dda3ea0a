"""The pure commands as a user calls them: evaluate and explain, their answers, errors and exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

import auditproof
from auditproof.cli.main import main

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [robot]
- level: Request
  omitStages: [ResponseStarted]
  omitManagedFields: true
  resources: [{group: "", resources: [secrets]}]
- level: Metadata
  nonResourceURLs: [/healthz*]
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return str(path)


def test_each_request_is_answered_by_a_line(
    policy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        {"user": "robot", "verb": "get", "resource": "secrets"},
        {"user": "alice", "groups": ["dev"], "verb": "get", "resource": "secrets", "namespace": "shop"},
        {"user": "alice", "verb": "get", "path": "/healthz/etcd"},
        {"user": None, "verb": "get", "resource": "pods"},
    ]
    text = "\n".join(map(json.dumps, asked)) + "\n\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    assert main(["evaluate", policy, "--requests", "-"]) == 0

    stages = ["RequestReceived"]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {
            "level": "None", "rule": 0, "line": 5, "omitStages": stages, "omitManagedFields": False,
            "apiGroup": "", "groups": ["system:authenticated"],
        },
        {
            "level": "Request", "rule": 1, "line": 7,
            "omitStages": ["RequestReceived", "ResponseStarted"], "omitManagedFields": True,
            "apiGroup": "", "groups": ["dev", "system:authenticated"],
        },
        {
            "level": "Metadata", "rule": 2, "line": 11, "omitStages": stages, "omitManagedFields": False,
            "apiGroup": None, "groups": ["system:authenticated"],
        },
        {
            "level": "None", "rule": None, "line": None, "omitStages": stages, "omitManagedFields": False,
            "apiGroup": "", "groups": None,
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"verb": "get", "path": "/"}\n{verb}\n', ":2:1: not JSON"),
        ("[]\n", ":1:1: expected a JSON object, found a list"),
        ('{"verbs": ["get"]}\n', ':1:1: unknown key "verbs"; expected one of apiGroup'),
        ('{"verb": 1}\n', ":1:1: verb: expected a string, found 1"),
        ('{"groups": "dev"}\n', ':1:1: groups: expected a list of strings, found "dev"'),
        ('{"verb": "get", "path": ""}\n', ":1:1: path is empty"),
        ('{"verb": "get"}\n', ":1:1: neither resource nor path is given"),
        ('{"verb": "get", "resource": "secret"}\n', ":1:1: there is no resource 'secret': did you mean secrets?"),
        ('{"verb": "get", "resource": "deployments", "apiGroup": ""}\n', ":1:1: the core group has no deployments"),
        ('{"verb": "get", "path": "healthz"}\n', ":1:1: the path 'healthz' has no leading slash"),
        ('{"verb": "get", "verb": "list"}\n', ':1:1: duplicate key "verb"'),
        ("[" * 100_000, ":1:1: not JSON: it is nested deeper"),
    ],
)
def test_a_line_that_is_no_request_is_told_with_its_number(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    requests = tmp_path / "requests.jsonl"
    requests.write_text(text)

    assert main(["evaluate", policy, "--requests", str(requests)]) == 4

    assert f"{requests}{says}" in capsys.readouterr().err


def test_a_line_that_is_no_utf_8_is_told_with_its_byte(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = tmp_path / "requests.jsonl"
    requests.write_bytes(b'{"verb": "get", "resource": "pods"}\n{"user": "\xff"}\n')

    assert main(["evaluate", policy, "--requests", str(requests)]) == 4

    assert capsys.readouterr().err == f"{requests}:2:1: not UTF-8: byte 11 of this line is 0xff\n"


HOSTILE = "\x1b]0;owned\x07 \u202egnp.exe\n::error file=x::pwned\n##[add-mask]a \x9b \u2028 |[l](javascript:x)`<b>"


@pytest.mark.parametrize(
    "command",
    [
        ["explain", "--user", HOSTILE, "--verb", "get", "--resource", "pods"],
        ["lint"],
        ["lint", "--format", "json"],
        ["lint", "--format", "sarif"],
        ["lint", "--format", "github"],
        ["diff", "old.yaml"],
        ["diff", "old.yaml", "--format", "markdown"],
        ["diff", "old.yaml", "--format", "json"],
        ["mutate", "--format", "text"],
        ["mutate", "--format", "json"],
        ["requirements"],
        ["requirements", "--format", "json"],
        ["report"],
    ],
    ids=" ".join,
)
def test_what_a_policy_says_controls_no_terminal_and_no_ci_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "new\x1b[31m\n::error::x.yaml"
    rules = [{"level": "Request", "users": [HOSTILE], "verbs": ["get"]}, {"level": "Metadata", "namespaces": [HOSTILE]}]
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [*rules, {"level": "Metadata"}]}
    (tmp_path / name).write_text(json.dumps(policy | {"\x1bkey\n::error::y": 1}))
    (tmp_path / "old.yaml").write_text(json.dumps(policy | {"rules": [{"level": "None"}]}))

    assert main([*command, name]) in (0, 1, 4)

    said = capsys.readouterr()
    text = said.out + said.err
    assert text.strip()
    assert not [letter for letter in text if unicodedata.category(letter) in ("Cc", "Zl", "Zp") and letter != "\n"]
    assert "\u202e" not in text
    assert "##[" not in text
    commands = [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert command[-1] == "github" or not commands
    assert all(
        re.match(r"::(error|warning|notice) file=new\\x1b\[31m\\n%3A%3Aerror%3A%3Ax.yaml,line=", line)
        for line in commands
    )
    if command[-1] in ("json", "sarif"):
        assert json.loads(said.out)
    if command[-1] == "markdown":
        assert "[l](" not in re.sub("``.*?``", "", text)
        assert {line.replace("\\|", "").count("|") for line in said.out.splitlines() if line.startswith("|")} == {7}


def call(*command: str, **how: Any) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "auditproof", *command]
    return subprocess.run(whole, stderr=subprocess.PIPE, text=True, check=False, **how)


@pytest.mark.parametrize("command", ["evaluate", "explain", "lint"])
def test_a_full_disk_is_told_and_blamed_on_nothing_else(policy: str, tmp_path: Path, command: str) -> None:
    requests = tmp_path / "requests.jsonl"
    requests.write_text('{"user": "alice", "verb": "get", "resource": "secrets"}\n' * 2000)
    more = {"evaluate": ["--requests", str(requests)], "explain": ["--verb", "get", "--path", "/healthz"], "lint": []}
    with Path("/dev/full").open("wb") as full:
        done = call(command, policy, *more[command], stdout=full)

    assert (done.returncode, done.stderr) == (4, "cannot write to standard output: No space left on device\n")


def test_a_locale_without_letters_is_no_reason_to_fail(tmp_path: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    (tmp_path / "old.yaml").write_text(POLICY)
    (tmp_path / "neu-\u00fc.yaml").write_text(POLICY.replace("robot", "r\u00fcdiger"))

    done = call("diff", "old.yaml", "neu-\u00fc.yaml", cwd=tmp_path, env=environment, stdout=subprocess.PIPE)

    assert (done.returncode, done.stderr) == (1, "")
    assert "old.yaml \\u2192 " in done.stdout


def test_only_one_module_writes_to_standard_output() -> None:
    folder = Path(auditproof.__file__).parent
    alone = re.compile(r"(?m)^(?!\s*(?:>>>|\.\.\.) ).*(?:\bprint\(|sys\.stdout\.(?!flush))")  # but for examples
    written = {
        str(path.relative_to(folder)) for path in folder.rglob("*.py") if alone.search(path.read_text(encoding="utf-8"))
    }
    assert written == {"text/output.py"}


def test_files_that_are_not_there_are_told_in_a_line(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", policy, "--requests", "missing.jsonl"]) == 4
    assert main(["evaluate", "missing.yaml", "--requests", "-"]) == 4
    assert capsys.readouterr().err.splitlines() == [
        "missing.jsonl: cannot be read: No such file or directory",
        "missing.yaml:1:1: the policy cannot be read: No such file or directory",
    ]


def test_a_refused_policy_answers_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.replace("Request\n", "request\n"))

    assert main(["evaluate", str(path), "--requests", "-"]) == 4

    output = capsys.readouterr()
    assert output.out == ""
    assert f'{path}:7:10: rules[1].level: Unsupported value: "request"' in output.err


def explained(capsys: pytest.CaptureFixture[str], policy: str, *options: str) -> list[str]:
    assert main(["explain", policy, *options]) == 0
    request, *lines = capsys.readouterr().out.splitlines()
    assert request.startswith("request: ")
    return [line.removeprefix(policy) for line in lines]


def test_the_deciding_rule_is_told_with_the_reasons_why_no_earlier_one_decides(
    policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--user", "alice", "--group", "dev", "--verb", "get", "--resource", "secrets", "--namespace", "shop"]
    assert explained(capsys, policy, *options) == [
        (
            ":7: rule 2 decides: recorded at level Request, without the stages RequestReceived, ResponseStarted, "
            "without managedFields"
        ),
        ":5: rule 1: does not match: user 'alice' is not in users [robot]",
    ]


def test_a_rule_that_comes_too_late_is_told(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(capsys, policy, "--user", "robot", "--verb", "get", "--path", "/healthz") == [
        ":5: rule 1 decides: not recorded (level None)",
        ":11: rule 3: Metadata: would also match, but the first match wins",
    ]


SIGNED_IN = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: None, userGroups: ["system:authenticated"], nonResourceURLs: ["/version"]}
- {level: Request, userGroups: ["system:serviceaccounts:shop"]}
- {level: Metadata}
"""


@pytest.mark.parametrize(
    ("options", "request_line", "decides"),
    [
        (["--user", "alice", "--path", "/version"], "get /version by alice (system:authenticated)", "rule 1"),
        (["--user", "alice", "--path", "/version", "--exact-groups"], "get /version by alice (in no group)", "rule 3"),
        (
            ["--user", "system:serviceaccount:shop:robot", "--resource", "pods", "--namespace", "shop"],
            (
                "get pods in namespace shop by system:serviceaccount:shop:robot "
                "(system:serviceaccounts, system:serviceaccounts:shop, system:authenticated)"
            ),
            "rule 2",
        ),
        (["--unauthenticated", "--path", "/version"], "get /version after a failed authentication", "rule 3"),
        (
            ["--user", "system:anonymous", "--path", "/version"],
            "by system:anonymous (system:unauthenticated)",
            "rule 3",
        ),
    ],
)
def test_a_user_is_in_the_groups_that_the_server_adds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], request_line: str, decides: str
) -> None:
    """What explain says of a user is what an API server decides about a request of this user."""
    path = tmp_path / "policy.yaml"
    path.write_text(SIGNED_IN)

    assert main(["explain", str(path), "--verb", "get", *options]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert request_line in lines[0]
    assert f"{decides} decides" in lines[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--verb", "get", "--resource", "secret"], "there is no resource 'secret': did you mean secrets?"),
        (["--verb", "get", "--resource", "Pods"], "did you mean pods?"),
        (["--verb", "get", "--resource", "secrets.v1"], "there is no API group 'v1' (it is a version)"),
        (["--verb", "delet", "--resource", "pods"], "'delet' is no verb of a resource: did you mean delete?"),
        (["--verb", "exec", "--resource", "pods"], "did you mean the verb create on pods/exec?"),
        (["--verb", "get", "--path", "healthz"], "did you mean /healthz?"),
    ],
)
def test_a_request_that_nobody_can_send_is_an_error_with_a_suggestion(
    policy: str, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert main(["explain", policy, "--user", "alice", *options]) == 4

    output = capsys.readouterr()
    assert says in output.err
    assert output.out == ""


def test_nothing_decides_about_a_subresource_that_no_rule_names(
    policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = explained(capsys, policy, "--unauthenticated", "--verb", "get", "--resource", "deployments.apps/scale")
    assert lines[0] == ": no rule matches: not recorded (level None)"
    assert lines[1] == ":5: rule 1: does not match: authentication failed: no user to match users or userGroups"
    assert lines[2].startswith(":7: rule 2: does not match: deployments/scale of group apps is not matched by")


@pytest.mark.parametrize(
    "options",
    [
        ["explain", "p.yaml", "--verb", "get"],
        ["explain", "p.yaml", "--verb", "get", "--resource", "pods", "--path", "/"],
        ["explain", "p.yaml", "--resource", "pods"],
        ["evaluate", "p.yaml"],
        ["evaluate", "p.yaml", "--requests", "-", "--kubernetes", "latest"],
        ["evaluate", "p.yaml", "--requests", "-", "--whatever"],
        ["prove"],
        [],
    ],
)
def test_options_that_make_no_sense_are_a_usage_error(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(options)
    assert exit_.value.code == 4
    assert "usage: auditproof" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "evaluate", "explain"])
def test_every_command_teaches_its_use(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    assert "example" in capsys.readouterr().out


def test_a_reader_who_has_seen_enough_ends_the_command_quietly(policy: str) -> None:
    lines = '{"user": "alice", "verb": "get", "resource": "secrets"}\n' * 20_000
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "auditproof", "evaluate", policy, "--requests", "-"]
    done = subprocess.run(command, input=lines, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        ("level: Metadata", {"": 1, "error": 0, "warning": 1, "never": 0}),
        ("{level: Metadata, verbs: ['*']}", {"": 1, "error": 1, "warning": 1, "never": 0}),
        ("level: metadata", {"": 4, "error": 4, "warning": 4, "never": 4}),
    ],
    ids=["warning", "error", "refused"],
)
def test_which_findings_fail_is_chosen_and_a_refused_policy_always_does(
    rule: str, codes: dict[str, int], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- {rule}\n")

    assert {word: main(["lint", str(policy), *(["--fail-on", word] if word else [])]) for word in codes} == codes


@pytest.mark.parametrize(("workspace", "path"), [(".", "policies/prod.yaml"), ("", "sub/policies/prod.yaml")])
def test_lint_names_files_from_the_root_of_the_repository_for_ci(
    workspace: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """GitHub drops an annotation whose file is named from the working directory of the step."""
    folder = tmp_path / "sub" / "policies"
    folder.mkdir(parents=True)
    (folder / "prod.yaml").write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Request\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "sub" if workspace else tmp_path))

    main(["lint", "prod.yaml", "--format", "github"])
    assert f"file={path},line=4" in capsys.readouterr().out
    main(["lint", "prod.yaml", "--format", "sarif"])
    places = json.loads(capsys.readouterr().out)["runs"][0]["results"][0]["locations"]
    assert places[0]["physicalLocation"]["artifactLocation"]["uri"] == path
    main(["lint", "prod.yaml", "--format", "json"])
    assert json.loads(capsys.readouterr().out)["policies"][0]["path"] == "prod.yaml"
