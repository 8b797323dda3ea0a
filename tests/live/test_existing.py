"""A cluster that exists already: an embedded server that the test keeps running, known by kubeconfig and log."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.server_flags import ServerFlags
from auditproof.cases.load import load_case_file
from auditproof.cli.main import main
from auditproof.clusters.existing.cleanup import find_made, labels
from auditproof.clusters.pki.x509 import Authority
from auditproof.errors import AuditproofError
from auditproof.proof import RunOptions, Session
from auditproof.wait import wait_until
from tests.support.ports import free_port, listens

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.client.probe import Probe
    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.embedded import EmbeddedProvider

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  resources: [{resources: [configmaps]}]
- level: Request
  verbs: [create, update]
- level: Metadata
"""
CASES = """\
apiVersion: auditproof/v1
kind: CaseFile
title: What a guest may do
identities:
  alice: {user: alice, groups: [developers]}
  robot: {serviceAccount: guests/robot}
given:
- {apiVersion: v1, kind: Namespace, metadata: {name: guests}}
cases:
- {id: secret-is-made, title: A secret is made where the run may, as: alice, do: {create: secrets/db, in: guests},
   expect: {status: 201}}
- {id: robot-reads, title: A service account reads, as: robot, do: {list: secrets, in: guests}, expect: {status: 200}}
- {id: excluded, title: Config maps are excluded, as: robot, do: {list: configmaps, in: guests}}
- {id: elsewhere, title: Somebody else's secrets are asked for, as: alice, do: {list: secrets, in: default}}
- {id: harmful, title: What would change the cluster is not performed, as: alice, do: {delete: nodes/n1}}
"""


@pytest.fixture(scope="module")
def policy(write_policy: Callable[[str], Path]) -> Path:
    return write_policy(POLICY)


@pytest.fixture(scope="module")
def cluster(embedded: EmbeddedProvider, policy: Path) -> Cluster:
    return embedded.cluster(policy)


@pytest.fixture(scope="module")
def admin(cluster: Cluster) -> Probe:
    return cluster.probe()


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster) -> Path:
    """A folder with a case file, and a profile whose users are x509 users of the cluster's authority."""
    (tmp_path / "cases.audit.yaml").write_text(CASES)
    kubeconfig(tmp_path / "kubeconfig", cluster)
    profile(tmp_path / "existing.yaml", cluster)
    return tmp_path


def kubeconfig(path: Path, cluster: Cluster, **user: str) -> Path:
    known = user or {"client-certificate": str(cluster.admin.cert), "client-key": str(cluster.admin.key)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": cluster.url, "certificate-authority": str(cluster.ca)}}],
        "users": [{"name": "u", "user": known}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(config))
    return path


def profile(path: Path, cluster: Cluster, **more: Any) -> Path:
    keys = {
        "apiVersion": "auditproof/v1",
        "kind": "Profile",
        "provider": "existing",
        "kubernetes": "1.37",
        "kubeconfig": "kubeconfig",
        "log": [str(cluster.log)],
        "clientCA": {
            "certificate": str(cluster.authorities.client.certificate),
            "key": str(cluster.authorities.client.key),
        },
    }
    path.write_text(json.dumps(keys | more))
    return path


def command(project: Path, policy: Path, *more: str) -> list[str]:
    options = ["-q", "-p", "no:cacheprovider", f"--audit-policy={policy}", "--audit-cluster=existing.yaml"]
    return [sys.executable, "-m", "pytest", "cases.audit.yaml", *options, "--audit-report=out", *more]


def prove(project: Path, policy: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """Run the cases; answers the exit code, results.json and what was printed."""
    done = subprocess.run(command(project, policy, *more), cwd=project, capture_output=True, text=True, check=False)
    results = project / "out" / "results.json"
    return done.returncode, json.loads(results.read_text()) if results.exists() else {}, done.stdout + done.stderr


def prove_here(project: Path, policy: Path) -> tuple[list[str], str]:
    """Prove the harmless cases in this process, for what is not about the command: the verdicts and what is said."""
    cases = [case for case in load_case_file(project / "cases.audit.yaml").cases if case.id != "harmful"]
    try:
        options = RunOptions.of(policy, cluster=str(project / "existing.yaml"))
        with Session(options) as session:
            proofs = session.prove(cases)
    except AuditproofError as error:
        return [], str(error)
    reasons = [f"{proof.case.id}: {reason}" for proof in proofs for reason in proof.verdict.reasons]
    return [str(proof.verdict.outcome) for proof in proofs], "\n".join(reasons)


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {proof["id"].rpartition("::")[2]: proof["verdict"] for proof in report["proofs"]}


def test_a_cluster_that_runs_the_policy_is_proven_and_left_as_it_was(project: Path, policy: Path, admin: Probe) -> None:
    code, report, text = prove(project, policy, "--audit-coverage=rules")

    assert code == 0, text
    assert {name: verdict for name, verdict in verdicts(report).items() if "witness" not in name} == {
        "secret-is-made": "PROVEN",
        "robot-reads": "PROVEN",
        "excluded": "PROVEN",
        "elsewhere": "PROVEN",
        "harmful": "NOT_SUPPORTED",
    }
    assert report["summary"]["proven"] == 4 + 3
    status = {proof["id"].rpartition("::")[2]: proof["observed"]["status"] for proof in report["proofs"]}
    assert status["elsewhere"] == 403
    assert find_made(admin, "") == ()
    assert admin.request("GET", "/api/v1/namespaces/guests").status == 404


def test_a_server_with_another_policy_is_noticed_first(project: Path, write_policy: Callable[[str], Path]) -> None:
    other = write_policy(POLICY.replace("level: Request", "level: RequestResponse"))

    code, report, text = prove(project, other)

    assert code == 1
    assert "the server does not run this policy" in text
    assert report["cluster"]["notRunning"].startswith("the server does not run this policy: ")
    assert "PROVEN" not in verdicts(report).values()
    assert "the server does not run this policy" in (project / "out" / "report.html").read_text()


def test_another_log_than_the_server_s_is_noticed(project: Path, policy: Path, cluster: Cluster) -> None:
    stale = project / "stale.log"
    stale.write_bytes(cluster.log.read_bytes())
    profile(project / "existing.yaml", cluster, log=["stale.log"])

    code, report, text = prove(project, policy)

    assert code == 1
    assert "nothing shows that the server runs this policy, and that this is its log" in text
    assert set(verdicts(report).values()) == {"UNPROVEN", "NOT_SUPPORTED"}


def test_missing_rights_are_listed_before_anything_is_made(
    project: Path, policy: Path, cluster: Cluster, admin: Probe
) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "default"}}
    admin.request("POST", "/api/v1/namespaces/default/serviceaccounts", account)
    token = admin.request("POST", "/api/v1/namespaces/default/serviceaccounts/reader/token", {"spec": {}})
    kubeconfig(project / "kubeconfig", cluster, token=token.json()["status"]["token"])

    code, report, text = prove(project, policy)

    assert code == 1
    assert "system:serviceaccount:default:reader, lacks these rights" in text
    assert "create namespaces: to act in namespaces of its own, and remove them" in text
    assert report == {} or report["summary"]["performed"] == 0
    assert find_made(admin, "") == ()


def test_what_is_somebody_else_s_is_not_touched(project: Path, policy: Path, admin: Probe) -> None:
    admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": "guests"}})
    try:
        _, report, _ = prove(project, policy)
        left = admin.request("GET", "/api/v1/namespaces/guests").json()
    finally:
        admin.request("DELETE", "/api/v1/namespaces/guests")
        admin.request("PUT", "/api/v1/namespaces/guests/finalize", {"metadata": {"name": "guests"}, "spec": {}})

    assert set(verdicts(report).values()) == {"NOT_SUPPORTED"}
    assert "another user" in report["proofs"][0]["reasons"][0]
    assert left["status"]["phase"] == "Active"
    assert "labels" not in left["metadata"] or "auditproof.dev/run" not in left["metadata"]["labels"]


def test_a_killed_run_is_cleaned_up_by_its_reaper_or_by_the_command(
    project: Path, policy: Path, admin: Probe, cluster: Cluster
) -> None:
    begun = cluster.log.stat().st_size
    run = subprocess.Popen(command(project, policy), cwd=project, stdout=subprocess.DEVNULL)
    wait_until(lambda: find_made(admin, "") or None, what="the run to make something", timeout_s=30)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()

    wait_until(lambda: not find_made(admin, "") or None, what="the reaper to remove it", timeout_s=60)
    assert cluster.log.stat().st_size > begun

    left = {"metadata": {"name": "left-behind", "labels": labels("somerun")}}
    admin.request("POST", "/api/v1/namespaces", left)
    cleanup = [sys.executable, "-m", "auditproof", "cleanup", "--kubeconfig", str(project / "kubeconfig")]
    other = subprocess.run([*cleanup, "--run", "another"], capture_output=True, text=True, check=True)
    dry = subprocess.run([*cleanup, "--dry-run"], capture_output=True, text=True, check=True)
    assert len(find_made(admin, "")) == 1
    real = subprocess.run([*cleanup, "--run", "somerun"], capture_output=True, text=True, check=True)

    assert other.stdout == "nothing is left\n"
    assert "would remove namespaces/left-behind (run somerun)" in dry.stdout
    assert "removing namespaces/left-behind (run somerun)" in real.stdout
    assert find_made(admin, "") == ()


@pytest.mark.parametrize(
    "spec",
    ["command:tail -c +{{start}} {log}", "command:cat {log}"],
    ids=["incremental", "whole"],
)
def test_the_log_is_read_by_a_command(project: Path, policy: Path, cluster: Cluster, spec: str) -> None:
    profile(project / "existing.yaml", cluster, log=[spec.format(log=cluster.log)])

    found, text = prove_here(project, policy)

    assert found == ["PROVEN"] * 4, text


def test_the_log_is_read_from_the_api_server_itself(project: Path, policy: Path, embedded: EmbeddedProvider) -> None:
    """Where it serves /logs, that is /var/log of its machine: here a link in it leads to the log."""
    cluster = embedded.cluster(policy, ServerFlags.of({}, {"enable-logs-handler": "true"}))
    kubeconfig(project / "kubeconfig", cluster)
    link = Path("/var/log") / f"auditproof-test-{os.getpid()}.log"
    try:
        link.symlink_to(cluster.log)
    except OSError as error:
        pytest.skip(f"nothing can be put into /var/log here: {error}")
    try:
        profile(project / "existing.yaml", cluster, log=[f"api:/logs/{link.name}"])
        found, text = prove_here(project, policy)
    finally:
        link.unlink()

    assert found == ["PROVEN"] * 4, text


def test_the_doctor_says_what_a_kubeconfig_gives_access_to(
    project: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """For the admin, for a user without rights, and for one that the server does not know."""
    command = ["doctor", "--format", "json", "--kubeconfig", str(project / "kubeconfig")]

    def found() -> tuple[int, dict[str, Any]]:
        code = main(command)
        return code, {one["name"]: one for one in json.loads(capsys.readouterr().out)["findings"]}

    code, allowed = found()
    assert code == 0
    assert re.fullmatch(rf"{cluster.url}, Kubernetes 1\.37\.\d+, as \S+", allowed["kubeconfig"]["text"])
    assert {allowed[name]["state"] for name in ("rights", "metrics", "audit log")} == {"OK"}

    known = cluster.authorities.client
    assert known is not None
    certificate, key = Authority.load(known.certificate, known.key).client("somebody").write(project, "somebody")
    kubeconfig(project / "kubeconfig", cluster, **{"client-certificate": str(certificate), "client-key": str(key)})
    code, refused = found()
    assert code == 1
    assert "as somebody" in refused["kubeconfig"]["text"]
    assert refused["rights"]["text"].startswith("the user may not create namespaces: to act in namespaces of its own")
    assert (refused["metrics"]["state"], refused["audit log"]["state"]) == ("optional", "optional")
    assert refused["audit log"]["command"].endswith("auth can-i get nodes --subresource=proxy")

    kubeconfig(project / "kubeconfig", cluster, token="nobody-issued-this")
    code, unknown = found()
    assert code == 1
    assert "kubeconfig" in unknown and "rights" not in unknown


@pytest.mark.parametrize("mode", ["blocking", pytest.param("batch", marks=pytest.mark.thorough)])
def test_the_log_is_received_from_the_server_s_webhook(
    project: Path, policy: Path, embedded: EmbeddedProvider, mode: str
) -> None:
    """In batch mode nothing is in order: what is not recorded counts only where all that was counted has come."""
    folder, port = project / "received", free_port()
    receive = [sys.executable, "-m", "auditproof", "receive", str(folder), "--listen", f"127.0.0.1:{port}"]
    receiver = subprocess.Popen(receive, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: (folder / "kubeconfig").exists() or None, what="the receiver to be there", timeout_s=30)
        wait_until(lambda: listens(port) or None, what="the receiver to listen", timeout_s=30)
        flags = {"audit-webhook-config-file": str(folder / "kubeconfig"), "audit-webhook-mode": mode}
        batch = {"audit-webhook-batch-max-wait": "200ms", "audit-webhook-batch-throttle-enable": "false"}
        server = embedded.cluster(policy, ServerFlags.of({}, flags | (batch if mode == "batch" else {})))
        kubeconfig(project / "kubeconfig", server)
        source = "webhook" if mode == "batch" else "webhook-blocking"
        profile(project / "existing.yaml", server, log=[f"{source}:received"])
        found, text = prove_here(project, policy)
    finally:
        receiver.kill()
        receiver.wait()

    if mode == "blocking":
        assert found == ["PROVEN"] * 4, text
    elif found != ["PROVEN"] * 4:
        assert "VIOLATED" not in found
        assert "the fence was not seen: this log is unordered" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log": ["nowhere.log"]}, "no such audit log"),
        ({"log": []}, "an existing cluster needs its audit log"),
        ({"kubeconfig": "nowhere"}, "there is no such kubeconfig file"),
        ({"kubeconfig": ""}, "an existing cluster needs a kubeconfig"),
        ({"context": "nobody"}, "cannot be used as a kubeconfig"),
        ({"log": ["command:no-such-program"]}, "cannot be run"),
        ({"log": ["command:sh -c 'echo no >&2; exit 3'"]}, "exit code 3"),
        ({"log": ["api:/logs/nowhere.log"]}, "was answered 404"),
        ({"log": ["webhook:nowhere"]}, "no events have been received there"),
        ({"kubernetes": "1.36"}, "--audit-kubernetes 1.37"),
    ],
)
def test_what_cannot_be_used_is_told(
    project: Path, policy: Path, cluster: Cluster, change: dict[str, Any], message: str
) -> None:
    profile(project / "existing.yaml", cluster, **change)

    found, text = prove_here(project, policy)

    assert message in text
    assert "PROVEN" not in found


def test_a_server_that_does_not_answer_is_told_at_once(project: Path, policy: Path, cluster: Cluster) -> None:
    config = json.loads((project / "kubeconfig").read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (project / "kubeconfig").write_text(json.dumps(config))

    code, _, text = prove(project, policy)

    assert code == 1
    assert "https://127.0.0.1:1 does not answer" in text
