"""What kind and kubeadm are told, and one more API server derived from the first: without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from auditproof.clusters.kind.config import additional_server, cluster_config

FLAGS = {"audit-policy-file": "/auditproof/a/policy.yaml", "audit-log-mode": "blocking"}
FIRST = yaml.safe_load("""
apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver, namespace: kube-system, labels: {component: kube-apiserver, tier: control-plane}}
spec:
  containers:
  - name: kube-apiserver
    image: registry.invalid/kube-apiserver:v1.37.2
    command:
    - kube-apiserver
    - --secure-port=6443
    - --audit-policy-file=/auditproof/a/policy.yaml
    - --audit-log-mode=blocking
    - --etcd-servers=https://127.0.0.1:2379
    ports: [{containerPort: 6443, name: probe-port, protocol: TCP}]
    livenessProbe: {httpGet: {path: /livez, port: probe-port}}
    readinessProbe: {httpGet: {path: /readyz, port: 6443}}
    resources: {requests: {cpu: 250m}}
  hostNetwork: true
""")


def patches(config: dict[str, Any]) -> dict[str, Any]:
    return {patch["apiVersion"]: patch for patch in map(json.loads, config["kubeadmConfigPatches"])}


def test_the_node_sees_the_servers_folder_and_publishes_ports_on_loopback_alone() -> None:
    """No port of the test cluster may be reachable from another machine."""
    config = json.loads(cluster_config(Path("/run/servers"), "node:v1", FLAGS, [6444, 6445], "1.37"))

    (node,) = config["nodes"]
    assert node["image"] == "node:v1"
    assert node["extraMounts"] == [{"hostPath": "/run/servers", "containerPath": "/auditproof"}]
    assert {port["listenAddress"] for port in node["extraPortMappings"]} == {"127.0.0.1"}
    assert [port["containerPort"] for port in node["extraPortMappings"]] == [6444, 6445]
    assert config["networking"]["apiServerAddress"] == "127.0.0.1"


def test_without_an_image_kind_takes_its_own() -> None:
    assert "image" not in json.loads(cluster_config(Path("/run"), "", FLAGS, [], "1.37"))["nodes"][0]


def test_the_flags_stand_in_the_patches_of_both_versions() -> None:
    """kubeadm.k8s.io/v1beta4 has a list of arguments, v1beta3 a mapping; each node image applies its own."""
    found = patches(json.loads(cluster_config(Path("/run"), "", FLAGS, [], "1.37")))

    newer, older = (found[f"kubeadm.k8s.io/{version}"]["apiServer"] for version in ("v1beta4", "v1beta3"))
    assert {argument["name"]: argument["value"] for argument in newer["extraArgs"]} == FLAGS
    assert older["extraArgs"] == FLAGS


def test_a_server_beside_the_first_differs_in_port_policy_and_log_alone() -> None:
    """Any other difference between the two servers could be the cause of a different verdict."""
    pod = additional_server(
        FIRST, "kube-apiserver-b", 6450, {**FLAGS, "audit-policy-file": "/auditproof/b/policy.yaml"}
    )

    (container,) = pod["spec"]["containers"]
    assert set(container["command"]) == {
        "kube-apiserver",
        "--secure-port=6450",
        "--audit-policy-file=/auditproof/b/policy.yaml",
        "--audit-log-mode=blocking",
        "--etcd-servers=https://127.0.0.1:2379",
        "--endpoint-reconciler-type=none",
    }
    assert pod["metadata"]["name"] == "kube-apiserver-b"
    assert pod["spec"]["hostNetwork"] is True


def test_a_server_beside_the_first_is_probed_on_its_own_port_and_asks_for_no_resources() -> None:
    """A named probe port stays; a number that is the first server's port is replaced."""
    (container,) = additional_server(FIRST, "kube-apiserver-b", 6450, FLAGS)["spec"]["containers"]

    assert container["ports"][0]["containerPort"] == 6450
    assert container["livenessProbe"]["httpGet"]["port"] == "probe-port"
    assert container["readinessProbe"]["httpGet"]["port"] == 6450
    assert "resources" not in container


def test_the_first_server_is_left_as_it_is() -> None:
    """The manifest of the cluster's own server is copied, not changed."""
    before = json.dumps(FIRST)

    additional_server(FIRST, "kube-apiserver-b", 6450, FLAGS)

    assert json.dumps(FIRST) == before
