"""A kind cluster with several control-plane nodes, joined as an existing one: each of their logs is read.

kind puts a load balancer before them. Where its image is not there, one of ours takes its name (balancer.pl).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from auditproof.clusters.kind.binary import find_kind
from auditproof.clusters.kind.engine import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.clusters.kind.engine import Engine

pytestmark = pytest.mark.live

BALANCER = re.compile(rb"docker\.io/(envoyproxy/envoy:v[0-9.]+)")
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  resources: [{resources: [configmaps]}]
- level: Request
  verbs: [create, update]
- level: Metadata
"""
NODES = 2
CREATE_TIMEOUT_S = 300
IN_NODE = "/auditproof"


def config(folder: Path) -> dict[str, Any]:
    """What kind is told: nodes that audit, each into a folder of its own."""
    volume = {"name": "auditproof", "hostPath": IN_NODE, "mountPath": IN_NODE, "pathType": "Directory"}
    flags = {
        "audit-policy-file": f"{IN_NODE}/policy.yaml",
        "audit-log-path": f"{IN_NODE}/audit.log",
        "audit-log-maxsize": "10000",
    }
    patch = {
        "kind": "ClusterConfiguration",
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "apiServer": {
            "extraArgs": [{"name": name, "value": value} for name, value in flags.items()],
            "extraVolumes": [volume],
        },
    }
    mounts = [[{"hostPath": str(folder / str(n)), "containerPath": IN_NODE}] for n in range(NODES)]
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": "control-plane", "extraMounts": mount} for mount in mounts],
        "kubeadmConfigPatches": [json.dumps(patch)],
    }


@pytest.fixture(scope="module")
def kind() -> str:
    return str(find_kind(print))


@pytest.fixture(scope="module")
def balancer(container_engine: Engine, kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The image of kind's load balancer is there; one of ours is removed afterwards."""
    named = BALANCER.search(Path(kind).read_bytes())
    if named is None:
        pytest.skip(f"{kind} names no load balancer that we know how to stand in for")
    image = named[1].decode()
    if not run([container_engine.name, "image", "inspect", image]).returncode:
        yield
        return
    script = tmp_path_factory.mktemp("balancer") / "envoy"
    script.write_bytes((Path(__file__).parent / "balancer.pl").read_bytes())
    script.chmod(0o755)
    container = container_engine.ask("create", os.environ["AUDITPROOF_IMAGE"]).strip()
    container_engine.ask("cp", str(script), f"{container}:/usr/local/bin/envoy")
    container_engine.ask("commit", "--change", 'ENTRYPOINT ["/usr/bin/env"]', container, image)
    container_engine.ask("rm", container)
    yield
    container_engine.ask("rmi", image)


@pytest.fixture(scope="module")
def cluster(balancer: None, kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a cluster of NODES control-plane nodes: kubeconfig, and policy and log of each node."""
    del balancer
    folder = tmp_path_factory.mktemp("servers")
    for n in range(NODES):
        (folder / str(n)).mkdir()
        (folder / str(n) / "policy.yaml").write_text(POLICY)
    (folder / "kind.yaml").write_text(yaml.safe_dump(config(folder)))
    name = f"auditproof-servers-{os.getpid()}"
    common = ["--name", name, "--kubeconfig", str(folder / "kubeconfig")]
    try:
        image = os.environ["AUDITPROOF_IMAGE"]
        create = [kind, "create", "cluster", "--config", str(folder / "kind.yaml"), "--image", image, *common]
        made = subprocess.run(create, check=False, capture_output=True, text=True, timeout=CREATE_TIMEOUT_S)
        assert made.returncode == 0, made.stderr
        yield folder
    finally:
        run([kind, "delete", "cluster", *common])


@pytest.fixture(scope="module")
def prove(cluster: Path) -> Callable[..., dict[str, Any]]:
    """Proves the witnesses of the policy by the logs of these nodes; answers with results.json."""

    def prove(*nodes: int) -> dict[str, Any]:
        logs = [f"--log={cluster / str(n) / 'audit.log'}" for n in nodes]
        report = cluster / "-".join(map(str, nodes))
        options = [
            "--cluster=existing",
            f"--kubeconfig={cluster / 'kubeconfig'}",
            f"--report={report}",
            "-m",
            "witness",
        ]
        command = [sys.executable, "-m", "auditproof", "run", str(cluster / "0" / "policy.yaml"), *options, *logs]
        subprocess.run(command, check=False, capture_output=True)  # what it came to stands in the report
        found: dict[str, Any] = json.loads((report / "results.json").read_text())
        return found

    return prove


def test_what_any_node_records_is_proven_by_the_logs_of_all(prove: Callable[..., dict[str, Any]]) -> None:
    found = prove(*range(NODES))

    assert found["summary"]["proven"] == found["summary"]["planned"] == 5


def test_the_log_of_one_node_proves_nothing_to_be_absent(prove: Callable[..., dict[str, Any]]) -> None:
    """The sabotage twin: another node's events are not taken for ones that are not recorded."""
    found = prove(0)

    excluded = [proof for proof in found["proofs"] if proof["expected"]["level"] == "None"]
    assert [proof["verdict"] for proof in excluded] == ["UNPROVEN"]
    assert found["summary"]["violated"] == 0
