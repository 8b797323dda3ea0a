"""The first cases and tests of an own project: identities, verbs of kubectl, a Pod, and how each failure is told.

All of these run in one pytest process, on one API server; each test states one fact about its output.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LIST = "{list: pods, in: shop}"
CASES = [
    ("exec", "alice", "{exec: pods/web, in: shop, command: [id]}", "{level: Request, event: {verb: get}}"),
    ("exec-spdy", "alice", "{exec: pods/web, in: shop, upgrade: spdy}", "{level: Request, event: {verb: create}}"),
    ("attach", "alice", "{attach: pods/web, in: shop}", "{level: Request, event: {verb: get}}"),
    ("portforward", "alice", "{portforward: pods/web, in: shop}", "{level: Request, event: {verb: get}}"),
    (
        "log",
        "alice",
        "{log: pods/web, in: shop}",
        "{level: Metadata, event: {verb: get, objectRef: {subresource: log}}}",
    ),
    ("scale", "alice", "{scale: deployments/web, in: shop, replicas: 2}", "{status: 200, event: {verb: patch}}"),
    ("new-pod", "alice", "{create: pods/new, in: shop}", "{status: 201}"),
    ("pod-in-default", "alice", "{create: pods/new, in: default}", "{status: 201}"),
    ("evict", "admin", "{evict: pods/web, in: shop}", "{status: 201, event: {objectRef: {subresource: eviction}}}"),
    ("robot", "robot", LIST, '{status: 200, event: {user: {username: "system:serviceaccount:robots:robot"}}}'),
    ("bob", "bob", LIST, "{status: 200, event: {user: {username: bob}}}"),
    ("stranger", "stranger", LIST, "{status: 403}"),
    ("nobody", "anonymous", LIST, '{status: 403, event: {user: {username: "system:anonymous"}}}'),
    ("intruder", "intruder", LIST, "{status: 401}"),
    ("deputy", "deputy", LIST, "{status: 200, event: {user: {username: deputy}, impersonatedUser: {username: bob}}}"),
    ("node", "node", LIST, '{status: 200, event: {user: {username: "system:node:node-1"}}}'),
    ("scheduler", "scheduler", LIST, "{status: 200}"),
    ("controllers", "controller-manager", LIST, "{status: 200}"),
    ("proxy", "kube-proxy", LIST, "{status: 200}"),
]
FILES = {
    "policies/prod.yaml": """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Request
  resources: [{group: "", resources: [pods/exec, pods/attach, pods/portforward]}]
- level: Metadata
""",
    "audit/shop.audit.yaml": """\
apiVersion: auditproof/v1
kind: CaseFile
title: The shop
given:
- {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
- apiVersion: v1
  kind: Pod
  metadata: {name: web, namespace: shop}
  spec: {containers: [{name: main, image: "registry.invalid/web:1"}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
  spec:
    selector: {matchLabels: {app: web}}
    template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: "registry.invalid/web:1"}]}}
cases:
"""
    + "".join(
        f"- {{id: {name}, title: A, as: {who}, do: {do}, expect: {expect}}}\n" for name, who, do, expect in CASES
    ),
    "audit/broken.audit.yaml": """\
apiVersion: auditproof/v1
kind: CaseFile
title: What cannot be set up
cases:
- id: fine
  title: A
  as: alice
  do: {path: /version}
  expect: {status: 200}
- id: one
  title: A
  as: alice
  do: {path: /version}
  given: &broken
  - apiVersion: v1
    kind: Service
    metadata: {name: web, namespace: nowhere}
    spec: {ports: [{port: 80}]}
- {id: two, title: A, as: alice, do: {path: /version}, given: *broken}
""",
    "audit/test_shop.py": """\
from auditproof import Expectation, Identity, Level, act

ALICE = Identity.named("alice")


def test_fails_by_an_assertion(audit):
    recorded = audit(ALICE, act("exec", "pods/web", "nowhere"))
    assert recorded.level is Level.METADATA


def test_fails_by_an_expectation(audit):
    audit(ALICE, act("exec", "pods/web", "nowhere"), Expectation(level=Level.NONE))


def test_takes_a_name_for_an_identity(audit):
    audit("alice", "get secrets")


def test_takes_a_fixture_that_does_not_exist(audit, alice):
    audit(alice, act("get", "secrets/db", "nowhere"))
""",
}


@dataclass(frozen=True)
class Ended:
    """A run that has ended: what the terminal said, and the two files with its results."""

    output: str
    proofs: dict[str, dict[str, Any]]
    junit: dict[str, str]

    def reason(self, name: str) -> str:
        proof = next(proof for key, proof in self.proofs.items() if key.partition("#")[0].endswith(f"::{name}"))
        return f"{proof['verdict']}: {'; '.join(proof['reasons'])}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder = tmp_path_factory.mktemp("acme")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    twice = ["audit", "audit/shop.audit.yaml", "--keep-duplicates"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *twice, "--audit-policy=policies/prod.yaml", "--audit-report=out"],
        cwd=folder, env=_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    return Ended(done.stdout, _proofs(folder), _junit(folder))


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AUDITPROOF_P")}


def _proofs(folder: Path) -> dict[str, dict[str, Any]]:
    return {proof["id"]: proof for proof in json.loads((folder / "out/results.json").read_text())["proofs"]}


def _junit(folder: Path) -> dict[str, str]:
    found = ET.parse(folder / "out/junit.xml").iter("testcase")
    return {case.attrib["name"]: "\n".join(one.attrib.get("message", "") for one in case) for case in found}


def test_identities_verbs_of_kubectl_and_a_pod_need_nothing_else(run: Ended) -> None:
    """A Pod in a given namespace, or in default, is admitted without a service account in the file."""
    verdicts = {key: proof["verdict"] for key, proof in run.proofs.items() if key.startswith("audit/shop.")}

    assert len(verdicts) == len(CASES)
    assert {key: run.proofs[key]["reasons"] for key, verdict in verdicts.items() if verdict != "PROVEN"} == {}


def test_a_case_that_is_collected_twice_is_reported_with_what_was_recorded(run: Ended) -> None:
    """It is performed once. Its evidence is not kept once it has passed: the second item reports what the first did."""
    proofs = [proof for key, proof in run.proofs.items() if key.startswith("audit/shop.")]

    assert any(proof["events"] for proof in proofs)
    wrong = [proof["id"] for proof in proofs if proof["observed"]["level"] != proof["expected"]["level"]]
    assert wrong == []


def test_an_object_that_cannot_be_created_is_told_with_its_line_to_the_cases_that_need_it(run: Ended) -> None:
    place = "audit/broken.audit.yaml:15: the Service nowhere/web cannot be set up"
    one, two = run.reason("one"), run.reason("two")

    assert run.reason("fine") == "PROVEN: "
    assert one == two
    assert place in one and 'namespaces "nowhere" not found' in one
    assert place in run.junit["one"] and place in run.junit["two"]


def test_it_is_told_once(run: Ended) -> None:
    """While the run is under way, among the failures, and in the summary; pytest's own list repeats its first line."""
    found = (line for line in run.output.splitlines() if "the Service nowhere/web cannot be set up" in line)
    lines = [line for line in found if not line.startswith("ERROR ")]

    assert len(lines) == 3, "\n".join(lines)
    assert any("audit/broken.audit.yaml::one, and 1 more:" in line for line in lines)


def _section(output: str, test: str) -> str:
    found = re.search(
        rf"^_+ (?:ERROR at setup of )?{test} _+\n(.*?)^(?:_{{5}}|=|-+ gen)", output, re.MULTILINE | re.DOTALL
    )
    assert found is not None, output
    return found[1]


def test_a_python_test_fails_with_the_block_of_a_yaml_case(run: Ended) -> None:
    told = _section(run.output, "test_fails_by_an_expectation")

    assert told.startswith(
        "audit/test_shop.py:12: test_fails_by_an_expectation: VIOLATED: recorded at Request, expected"
    )
    assert "  action    alice (groups: developers) · GET /api/v1/namespaces/nowhere/pods/web/exec" in told
    assert "  expected  level None" in told and "  recorded  level Request" in told
    assert "  policy    policies/prod.yaml:5: rule 1 decides: recorded at level Request" in told


def test_a_failed_assertion_shows_what_was_recorded_and_no_dataclass(run: Ended) -> None:
    told = _section(run.output, "test_fails_by_an_assertion")

    assert "<Recorded level Request" in told and "Exchange(" not in told and "Proof(" not in told
    assert "  recorded  level Request" in told and "  policy    policies/prod.yaml:5: rule 1 decides" in told


def test_a_wrong_argument_is_told_with_what_to_write(run: Ended) -> None:
    place = "audit/test_shop.py:16: test_takes_a_name_for_an_identity: "
    told = _section(run.output, "test_takes_a_name_for_an_identity")

    assert told.strip().startswith(
        f"{place}audit: the first argument must be an Identity, not 'alice': write Identity.named('alice')"
    )


def test_a_missing_fixture_is_told_as_such(run: Ended) -> None:
    assert run.reason("test_takes_a_fixture_that_does_not_exist") == (
        "UNPROVEN: the test takes a fixture 'alice' that does not exist: auditproof has no fixture of this name; "
        'write Identity.named("alice")'
    )
