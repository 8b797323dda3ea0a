"""The kind cluster: the same verdicts as on embedded, fast refusals, and nothing left of it, whatever happens.

It needs a container engine that answers, and a node image that is there: AUDITPROOF_IMAGE names it. Without them the
tests are skipped, with the reason.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from auditproof import content
from auditproof.audit.policy.load import load_policy
from auditproof.audit.server_flags import DEFAULT_FLAGS
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.clusters.kind.home import ClusterFolder
from auditproof.clusters.kind.provider import KindProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.detections import Detection, Field, Not, Operator, Test, both, check_detections
from auditproof.detections.examples import Firing
from auditproof.errors import ClusterError, Position
from auditproof.kube.action import act, to_request
from auditproof.kube.discovery import load_served
from auditproof.kube.identity import Identity
from auditproof.proof.detected import tried
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from auditproof.wait import wait_until
from tests.support.kind import left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.kind.engine import Engine

ROOT = content.root()
IMAGE = os.environ.get("AUDITPROOF_IMAGE", "")
REFUSED = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: metadata\n"
PATIENCE_S = 240.0  # how long kubeadm, and so kind, waits for an API server that does not start
ALICE = Identity.x509("alice", "developers")
CONTROLLER = """
import sys, threading
from pathlib import Path
from auditproof.clusters.kind.provider import KindProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
policy, image, *words = sys.argv[1:]
directory = RunDirectory.create(keep="keep" in words)
options = {"kubernetes": "1.37", "image": image, "policy": Path(policy), "report": lambda _: None}
kind = KindProvider(load_profile("kind"), directory, **options)
if "early" in words:
    print(directory.path, flush=True)
kind.cluster(Path(policy))
print(directory.path, flush=True)
if "keep" in words:
    print(directory.close())
else:
    threading.Event().wait()
"""


@pytest.fixture(scope="module", autouse=True)
def engine(container_engine: Engine) -> Engine:
    """The container engine; skips everything here where it or the node image is not there."""
    return container_engine


def provider(directory: RunDirectory, policy: Path) -> KindProvider:
    return KindProvider(load_profile("kind"), directory, kubernetes="1.37", image=IMAGE, policy=policy, report=print)


def name_of(directory: Path) -> str:
    return ClusterFolder.of_run(RunDirectory(directory)).name


def gone(engine: Engine, directory: Path) -> bool | None:
    return True if not directory.exists() and not left(engine, name_of(directory)) else None


@pytest.fixture(scope="module")
def directory(engine: Engine) -> Iterator[RunDirectory]:
    directory = RunDirectory.create()
    yield directory
    assert directory.close() == ""
    assert gone(engine, directory.path)


@pytest.fixture(scope="module")
def kind(directory: RunDirectory, everything: Path) -> KindProvider:
    return provider(directory, everything)


@pytest.fixture(scope="module")
def own(engine: Engine, everything: Path) -> Iterator[tuple[KindProvider, RunDirectory]]:
    """A cluster that a test may break: the first one mends it again, the second leaves it dead."""
    directory = RunDirectory.create()
    yield provider(directory, everything), directory
    assert directory.close() == ""
    assert gone(engine, directory.path)


def step(name: str = "step", verb: str = "get", what: str = "namespaces/default") -> Case:
    return Case(name, ALICE, to_request(act(verb, what)), Expectation())


def prover_on(kind: KindProvider, cluster: Cluster, policy: Path, directory: RunDirectory) -> Prover:
    judged = load_policy(policy)
    folder = directory.private_folder()
    return Prover(ServerView(cluster, kind), judged, running=judged, folder=folder)


def test_actions_are_proven_beside_the_noise_of_controllers_and_kubelet(
    kind: KindProvider, directory: RunDirectory, everything: Path
) -> None:
    cluster = kind.cluster(everything)
    prover = prover_on(kind, cluster, everything, directory)

    proofs = prover.prove([step(f"step-{n}") for n in range(20)])
    prover.close()

    assert [proof.verdict.outcome for proof in proofs] == [Outcome.PROVEN] * 20
    assert "system:kube-controller-manager" in cluster.log.read_text()
    assert kind.failure(cluster) is None


def test_the_cluster_is_the_version_that_it_was_asked_to_be(kind: KindProvider, everything: Path) -> None:
    assert kind.cluster(everything).kubernetes.startswith("v1.37.")


def test_every_policy_has_a_server_of_its_own_in_one_cluster(
    kind: KindProvider, directory: RunDirectory, write_policy: Callable[[str], Path], everything: Path
) -> None:
    levels = ("None", "Metadata", "Request", "RequestResponse")
    policies = [write_policy(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: {x}\n") for x in levels]

    kind.start_all([(policy, DEFAULT_FLAGS) for policy in policies])
    clusters = [kind.cluster(policy) for policy in policies]

    assert len({cluster.url for cluster in (*clusters, kind.cluster(everything))}) >= 4
    for cluster, policy in zip(clusters, policies, strict=True):
        prover = prover_on(kind, cluster, policy, directory)
        (proof,) = prover.prove([step()])
        prover.close()
        assert proof.verdict.outcome is Outcome.PROVEN, proof.verdict.reasons
        assert cluster.policy.read_bytes() == policy.read_bytes()


def test_a_refused_policy_beside_the_first_is_told_in_the_servers_words(
    kind: KindProvider, write_policy: Callable[[str], Path], everything: Path
) -> None:
    kind.cluster(everything)
    refused = write_policy(REFUSED)

    with pytest.raises(ClusterError) as error:
        kind.cluster(refused)

    assert 'rules[0].level: Unsupported value: "metadata"' in str(error.value)
    assert str(refused) in str(error.value)


GUESTS = """\
apiVersion: auditproof/v1
kind: CaseFile
title: What a guest may do on a kind cluster
identities:
  alice: {user: alice}
  robot: {serviceAccount: guests/robot}
given:
- {apiVersion: v1, kind: Namespace, metadata: {name: guests}}
cases:
- {id: robot-reads, title: A service account reads, as: robot, do: {list: secrets, in: guests}, expect: {status: 200}}
- {id: alice-makes, title: A user by CertificateSigningRequest makes, as: alice, do: {create: secrets/db, in: guests}}
"""


@pytest.mark.parametrize("way", ["file", "command", "node"])
def test_the_cluster_is_proven_by_somebody_who_only_has_its_kubeconfig_and_its_log(
    kind: KindProvider, everything: Path, tmp_path: Path, way: str
) -> None:
    cluster = kind.cluster(everything)
    (tmp_path / "cases.audit.yaml").write_text(GUESTS)
    (tmp_path / "kubeconfig").write_text(kind.node.ask("cat", "/etc/kubernetes/admin.conf"))
    config = yaml.safe_load((tmp_path / "kubeconfig").read_text())
    config["clusters"][0]["cluster"]["server"] = cluster.url
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    inside = f"/auditproof/{cluster.log.parents[1].name}/audit/audit.log"
    kind.node.ask("ln", "-sf", inside, "/var/log/audit.log")  # what the kubelet serves
    log = {
        "file": str(cluster.log),
        "command": f"command:docker exec {kind.node.name} cat {inside}",
        "node": f"node:{kind.node.name}/audit.log",
    }[way]
    options = [f"--audit-policy={everything}", "--audit-cluster=existing", "--audit-kubeconfig=kubeconfig"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "cases.audit.yaml",
            *options,
            f"--audit-log={log}",
            "--audit-report=out",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "results.json").read_text())
    assert report["cluster"]["provider"] == "existing"
    assert {proof["verdict"] for proof in report["proofs"]} == {"PROVEN"}
    assert len(report["proofs"]) == 2


def test_the_authoritys_key_is_for_its_owner_alone(kind: KindProvider, everything: Path) -> None:
    assert kind.cluster(everything).authorities.client.key.stat().st_mode & 0o777 == 0o600


def test_another_process_of_the_run_joins_the_cluster(
    kind: KindProvider, directory: RunDirectory, everything: Path
) -> None:
    cluster = kind.cluster(everything)

    other = provider(RunDirectory.open(str(directory.path)), everything)

    assert other.cluster(everything) == cluster


def test_a_refused_policy_ends_the_cluster_in_seconds_with_the_servers_words(
    engine: Engine, write_policy: Callable[[str], Path]
) -> None:
    refused, directory = write_policy(REFUSED), RunDirectory.create()
    begun = time.monotonic()

    with pytest.raises(ClusterError) as error:
        provider(directory, refused).cluster(refused)
    took, remains = time.monotonic() - begun, left(engine, name_of(directory.path))
    directory.close()

    assert 'rules[0].level: Unsupported value: "metadata"' in str(error.value)
    assert str(refused) in str(error.value)
    assert len(str(error.value).splitlines()) < 5
    assert took < PATIENCE_S
    assert not remains


def test_another_version_than_the_images_is_refused(engine: Engine, everything: Path) -> None:
    directory = RunDirectory.create()
    kind = KindProvider(
        load_profile("kind"), directory, kubernetes="1.36", image=IMAGE, policy=everything, report=print
    )

    with pytest.raises(ClusterError, match=r"runs Kubernetes v1\.37\.\d+, expected 1\.36"):
        kind.cluster(everything)

    directory.close()
    assert gone(engine, directory.path)


def meanwhile(prover: Prover, disturb: Callable[[], object]) -> tuple[Outcome, str]:
    """The verdict and the reasons of a watch in the middle of which ``disturb`` happens."""
    prover.prove([step()])
    timer = threading.Timer(0.4, disturb)
    timer.start()
    (proof,) = prover.prove([step("watch", "watch", "namespaces")])
    timer.join()
    return proof.verdict.outcome, " ".join(proof.verdict.reasons)


def test_a_killed_api_server_leaves_its_cases_unproven_and_is_used_again_when_it_is_back(
    own: tuple[KindProvider, RunDirectory], everything: Path
) -> None:
    kind, directory = own
    cluster = kind.cluster(everything)
    prover = prover_on(kind, cluster, everything, directory)

    outcome, reasons = meanwhile(prover, lambda: kind.node.ask("sh", "-c", "kill -9 $(pidof kube-apiserver)"))
    prover.close()

    assert outcome is Outcome.UNPROVEN, reasons
    wait_until(lambda: kind.failure(cluster) is None or None, what="the kubelet to start the API server", timeout_s=180)
    again = prover_on(kind, cluster, everything, directory)
    (proof,) = again.prove([step("again")])
    again.close()
    assert proof.verdict.outcome is Outcome.PROVEN, proof.verdict.reasons


def test_a_killed_node_leaves_its_cases_unproven(
    own: tuple[KindProvider, RunDirectory], engine: Engine, everything: Path
) -> None:
    kind, directory = own
    cluster = kind.cluster(everything)
    prover = prover_on(kind, cluster, everything, directory)

    outcome, reasons = meanwhile(prover, lambda: engine.ask("kill", kind.node.name))
    prover.close()

    assert outcome is Outcome.UNPROVEN
    assert "its container is exited" in reasons or "does not answer" in reasons
    assert "its container is exited" in wait_until(
        lambda: ended if "exited" in (ended := kind.failure(cluster) or "") else None,
        what="the engine to know",
        timeout_s=30,
    )


@pytest.fixture
def start(everything: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], Path]]]:
    """Starts another process that makes a cluster; answers it and its run directory."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[subprocess.Popen[str], Path]:
        command = [sys.executable, "-c", CONTROLLER, str(everything), IMAGE, *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_nothing_is_left_of_a_controller_that_is_killed(
    start: Callable[..., tuple[subprocess.Popen[str], Path]], engine: Engine, name: str
) -> None:
    process, directory = start()
    assert len(left(engine, name_of(directory))) == 2  # the node and its network

    process.send_signal(signal.Signals[name])

    wait_until(lambda: gone(engine, directory), what="the reaper to clean up", timeout_s=60)


def test_nothing_is_left_of_a_controller_that_is_killed_while_kind_creates_the_cluster(
    start: Callable[..., tuple[subprocess.Popen[str], Path]], engine: Engine
) -> None:
    process, directory = start("early")
    wait_until(lambda: bool(left(engine, name_of(directory))) or None, what="kind to make the network", timeout_s=60)

    process.kill()

    wait_until(lambda: gone(engine, directory), what="the reaper to clean up", timeout_s=60)


def test_a_kept_cluster_stays_says_how_to_use_it_and_ends_when_told(
    start: Callable[..., tuple[subprocess.Popen[str], Path]], engine: Engine
) -> None:
    process, directory = start("keep")
    assert process.stdout is not None
    text = process.stdout.read()

    assert f"kubectl --kubeconfig {directory}" in text
    assert left(engine, name_of(directory))

    subprocess.run([directory / "stop"], check=True)

    wait_until(lambda: gone(engine, directory), what="the kept cluster to end", timeout_s=60)


HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
DROPS_CONTROLLERS = f"{HEAD}- {{level: None, userGroups: ['system:serviceaccounts:kube-system']}}\n- level: Metadata\n"
CREATES_POD = both(
    Test(Field.at("verb"), Operator.EQUALS, ("create",)),
    Test(Field.at("objectRef.resource"), Operator.EQUALS, ("pods",)),
    Not(Test(Field.at("objectRef.subresource"), Operator.EXISTS)),
)
HOST_PID = both(CREATES_POD, Test(Field.at("requestObject.spec.hostPID"), Operator.EQUALS, ("true",)))


def test_a_rule_fires_on_the_pod_that_a_controller_creates_as_the_policy_lets_it(
    kind: KindProvider, directory: RunDirectory, write_policy: Callable[[str], Path], everything: Path
) -> None:
    """The server records all metadata: enough for a rule about Pods, too little for one about their spec.

    Judged by a policy that drops the controllers' accounts, the same events are a violation.
    """
    served, cluster, found = load_served("1.37"), kind.cluster(everything), {}
    for text, path in (("all", everything), ("drops", write_policy(DROPS_CONTROLLERS))):
        policy = load_policy(path)
        rules = [
            Detection(name, name, "own", (condition,), Position("rules.yaml", 1, 1))
            for name, condition in ((f"{text}-creates-pod", CREATES_POD), (f"{text}-host-pid", HOST_PID))
        ]
        made = tried(policy, check_detections(policy, rules, served), served, controllers=True)
        cases = [case for one in made for case in one.cases if case.id.endswith("-replicaset-controller")]
        prover = Prover(
            ServerView(cluster, kind), policy, running=load_policy(everything), folder=directory.private_folder()
        )
        found.update({proof.case.id.removesuffix("-replicaset-controller"): proof for proof in prover.prove(cases)})
        prover.close()

    words = {name: (proof.verdict.outcome, len(proof.verdict.evidence.followed or ())) for name, proof in found.items()}
    assert words == {
        "all-creates-pod": (Outcome.PROVEN, 2),
        "all-host-pid": (Outcome.PROVEN, 2),
        "drops-creates-pod": (Outcome.VIOLATED, 2),
        "drops-host-pid": (Outcome.PROVEN, 2),
    }
    by_hand = found["all-creates-pod"].verdict.evidence.events
    assert {event.raw["user"]["username"] for event in by_hand} == {"auditproof-someone"}
    assert "by the policy it cannot see this request" in found["drops-creates-pod"].verdict.reasons[0]
    watcher = found["all-host-pid"].case.expectation.watcher
    assert isinstance(watcher, Firing)
    events = [event.raw for event in found["all-host-pid"].verdict.evidence.followed or ()]
    assert "has no requestObject" in watcher.silence(events)
    assert {event["user"]["username"].rpartition(":")[2] for event in events} == {"replicaset-controller"}
