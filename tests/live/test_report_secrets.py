"""Nothing secret in any report file: canaries are planted wherever a secret can get into a report, and looked for."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import content
from auditproof.audit.leaks import disguises
from auditproof.report.read import load_report

if TYPE_CHECKING:
    from pathlib import Path

ROOT = content.root()
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: RequestResponse\n"
KINDS = (
    "secret",
    "string",
    "config",
    "applied",
    "env",
    "query",
    "bundle",
    "header",
    "agent",
    "expected",
    "argument",
    "extra",
)
OF_TESTS = ("body", "printed", "variable", "option", "sought")
JWT = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}")


TESTS = """\
import os
from auditproof.kube.action import act
from auditproof.kube.identity import Identity

ALICE = Identity.x509("alice")
BODY = os.environ["CANARY_BODY"]

def test_the_body_is_shown_by_a_failure(audit):
    recorded = audit(ALICE, act("create", "secrets/t", "default", body={"stringData": {"p": BODY}}))
    assert "requestObject" not in recorded.event

def test_the_body_is_printed_and_shown_by_a_difference(audit):
    event = audit(ALICE, act("update", "secrets/t", "default", body={"stringData": {"p": BODY}})).event
    print(event)
    print("Authorization: Bearer", os.environ["CANARY_PRINTED"])
    assert event["requestObject"] == {"kind": "Secret"}

def test_a_secret_that_is_looked_for_is_an_argument(audit):
    audit(ALICE, act("get", "secrets/t", "default"))
    look_for(audit, os.environ["CANARY_SOUGHT"])

def look_for(audit, canary):
    assert audit.leaks(canary) != []
"""


def canary(kind: str) -> str:
    return f"canary-of-{kind}-0123456789abcdef"


def encoded(kind: str) -> str:
    return base64.b64encode(canary(kind).encode()).decode()


def case(name: str, do: dict[str, Any], expect: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": name, "title": name, "as": "alice", "do": do} | ({"expect": expect} if expect else {})


def case_file() -> dict[str, Any]:
    """Cases with a secret each; most of them fail, because a failure says more than a success."""
    last = json.dumps({"kind": "Secret", "data": {"password": encoded("applied")}})
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": last}
    container = {"name": "c", "image": "i", "env": [{"name": "PASSWORD", "value": canary("env")}]}
    webhook = {
        "name": "w.example.test", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://localhost:1/x", "caBundle": encoded("bundle")},
    }  # fmt: skip
    wrong: dict[str, Any] = {"level": "Metadata"}
    other = {"event": {"requestObject": {"stringData": {"x": "something else"}}}}
    found = {"event": {"responseObject": {"data": {"password": "something else"}}}}
    within = {"in": "default"}
    cases = [
        case("secret", {"create": "secrets/a", **within, "object": {"data": {"password": encoded("secret")}}}),
        case("string", {"create": "secrets/b", **within, "object": {"stringData": {"p": canary("string")}}}, wrong),
        case("read", {"get": "secrets/a", **within}, wrong),
        case("list", {"list": "secrets", **within}),
        case("config", {"create": "configmaps/a", **within, "object": {"data": {"x": canary("config")}}}, wrong),
        case("applied", {"create": "secrets/c", **within, "object": {"metadata": {"annotations": annotations}}}, wrong),
        case("env", {"create": "pods/p", **within, "object": {"spec": {"containers": [container]}}}, wrong),
        case("query", {"request": f"GET /api/v1/namespaces?token={canary('query')}"}, wrong),
        case("bundle", {"create": "validatingwebhookconfigurations/w", "object": {"webhooks": [webhook]}}, wrong),
        case("header", {"get": "secrets/a", **within, "headers": {"Cookie": f"session={canary('header')}"}}, wrong),
        case("agent", {"get": "secrets/a", **within, "query": {"password": canary("agent")}}, wrong),
        case("token", {"create": "serviceaccounts/default/token", **within}, wrong),
        case("expected", {"create": "secrets/d", **within, "object": {"stringData": {"x": canary("expected")}}}, other),
        case(
            "exec", {"get": "pods/p/exec", **within, "query": {"container": "c", "command": ["sh", canary("argument")]}}
        ),
        case("oidc", {"get": "secrets/a", **within}, wrong) | {"as": "olivia"},
        case("late", {"get": "secrets/a", **within}, wrong) | {"as": "late-olivia"},
        case("legacy", {"get": "secrets/a", **within}, wrong) | {"as": "legacy-robot"},
        case("found", {"get": "secrets/a", **within}, found),
    ]
    given = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}]
    head = {"apiVersion": "auditproof/v1", "kind": "CaseFile", "title": "Secrets"}
    identities = {
        "alice": {"user": "alice"}, "olivia": {"oidc": "olivia"}, "late-olivia": {"oidc": "olivia", "token": "expired"},
        "legacy-robot": {"serviceAccount": "default/default", "token": "legacy"},
    }  # fmt: skip
    return {**head, "identities": identities, "given": given, "cases": cases}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run that planted all canaries."""
    project = tmp_path_factory.mktemp("canaries")
    (project / "policy.yaml").write_text(POLICY)
    (project / "a.audit.yaml").write_text(json.dumps(case_file()))
    (project / "test_told.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", ".", "--rootdir=.", "-p", "no:cacheprovider", "-vv"]
    command += ["--metadata", "registry", f"https://me:{canary('option')}@example.test/"]
    command += ["--audit-policy=policy.yaml", "--audit-report=out", "--audit-formats=sarif,code-quality"]
    variables = {f"CANARY_{kind.upper()}": canary(kind) for kind in OF_TESTS}
    variables |= {"JENKINS_URL": "https://ci.example.test/", "GIT_URL": f"https://{canary('variable')}@example.test/"}
    variables |= {"BUILD_URL": f"https://me:{canary('variable')}@example.test/job/1"}
    variables |= {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(project / "out" / "summary.md")}
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    (project / "out" / "terminal.txt").write_text(done.stdout + done.stderr)
    return project / "out"


def test_the_canaries_were_performed(folder: Path) -> None:
    summary = load_report(folder / "results.json").summary  # by its schema
    text = (folder / "terminal.txt").read_text()
    assert summary.performed == summary.planned == len(case_file()["cases"]) + 3, text
    assert summary.unproven == 0, text
    assert summary.violated >= 6, text


@pytest.mark.parametrize("kind", [*KINDS, *OF_TESTS])
def test_a_canary_is_in_no_file_in_any_disguise(folder: Path, kind: str) -> None:
    files = [path for path in folder.iterdir() if path.is_file()]
    assert {"report.html", "details.html", "evidence.html", "evidence-1.html", "tests.html"} < {f.name for f in files}
    texts = {path.name: path.read_text() for path in files}
    forms = [(how, form) for how, written in disguises(canary(kind)).items() for form in written]
    assert [(name, how) for how, form in forms for name, text in texts.items() if form in text] == []


def test_a_failure_without_the_secret_is_still_told(folder: Path) -> None:
    for name in ("terminal.txt", "junit.xml", "tests.html"):
        text = (folder / name).read_text()
        assert "this line contains a secret" in text, name
        assert "test_told.py:10: AssertionError" in text, name
    assert "test_told.py:10: AssertionError" in (folder / "details.html").read_text()
    proofs = json.loads((folder / "results.json").read_text())["proofs"]
    told = {proof["title"]: proof["reasons"] for proof in proofs}
    assert told["test_a_secret_that_is_looked_for_is_an_argument"] == ["AssertionError: assert [] != []"]


def test_no_token_is_in_any_file(folder: Path) -> None:
    assert {path.name: JWT.findall(path.read_text()) for path in folder.iterdir() if JWT.search(path.read_text())} == {}
