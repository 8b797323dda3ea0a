"""The configuration of kind and kubeadm: a cluster of one node whose API server audits. Pure; JSON, which is YAML.

Patches of both versions of kubeadm's configuration are given: kind applies the one that fits what it writes itself,
v1beta4 or, for older Kubernetes, v1beta3 (ConfigTemplateBetaV3 and V4 in pkg/cluster/internal/kubeadm/config.go).
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from auditproof.audit.server_flags import DEFAULT_FLAGS, ServerFlags
from auditproof.clusters.pki.static_tokens import FILE as STATIC_TOKENS
from auditproof.clusters.run.readiness import REQUESTS_LOGGED
from auditproof.kube.identity import FRONT_PROXY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import PurePath

    from auditproof.clusters.profile import Profile

IN_NODE = PurePosixPath("/auditproof")  # where the node sees the run's folder of servers
FIRST_PORT = 6443  # of the API server that kubeadm makes (APIBindPort in pkg/cluster/internal/kubeadm)
LOOPBACK = "127.0.0.1"
LEFT_TO_THE_ENGINE = -1  # the engine chooses a port that is free when it listens
OF_KUBEADM = "front-proxy-client"  # the name of the proxy that the API server itself is, for aggregated APIs
_VOLUME = "auditproof"


def server_flags(profile: Profile, pod: str, settings: ServerFlags = DEFAULT_FLAGS) -> dict[str, str]:
    """The flags of the API server that is the static pod ``pod`` of the node: ours, the profile's, the settings'."""
    flags = {
        "audit-policy-file": f"{IN_NODE}/{pod}/policy.yaml",
        "audit-log-path": f"{IN_NODE}/{pod}/audit/audit.log",
        "audit-log-maxsize": "10000",
        "token-auth-file": f"{IN_NODE}/{STATIC_TOKENS}",
        "requestheader-allowed-names": f"{OF_KUBEADM},{FRONT_PROXY}",
        "vmodule": REQUESTS_LOGGED,
        **{f"audit-log-{key}": value for key, value in profile.audit_log.items()},
        **profile.flags,
    }
    return settings.over(flags)


def cluster_config(
    servers: PurePath, image: str, flags: Mapping[str, str], ports: Iterable[int], kubernetes: str
) -> str:
    """The configuration of ``kind create cluster``.

    ``servers`` is the folder of this machine that the node sees as IN_NODE, ``image`` the node image (kind's own where
    it is empty), ``flags`` the flags of kube-apiserver, ``ports`` those that further API servers in the node may use,
    ``kubernetes`` the version that the image is said to have.
    """
    node: dict[str, Any] = {
        "role": "control-plane",
        "extraMounts": [{"hostPath": str(servers), "containerPath": str(IN_NODE)}],
        "extraPortMappings": [
            {"containerPort": port, "hostPort": LEFT_TO_THE_ENGINE, "listenAddress": LOOPBACK, "protocol": "TCP"}
            for port in ports
        ],
    }
    if image:
        node["image"] = image
    config = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"apiServerAddress": LOOPBACK, "apiServerPort": LEFT_TO_THE_ENGINE},
        "nodes": [node],
        "kubeadmConfigPatches": [
            # Both versions: kind applies the patch whose apiVersion is that of the node image's kubeadm.
            json.dumps(patch)
            for patch in (_v1beta4(flags), _v1beta3(flags), *_kubelet(kubernetes))
        ],
    }
    return json.dumps(config, indent=1)


def _v1beta4(flags: Mapping[str, str]) -> dict[str, Any]:
    return {
        **_head("v1beta4"),
        "encryptionAlgorithm": "ECDSA-P256",  # made faster than RSA keys
        "apiServer": {
            "extraArgs": [{"name": name, "value": value} for name, value in flags.items()],
            "extraVolumes": [_volume()],
        },
        "etcd": {"local": {"extraArgs": [{"name": "unsafe-no-fsync", "value": "true"}]}},  # as the embedded etcd
    }


def _v1beta3(flags: Mapping[str, str]) -> dict[str, Any]:
    return {
        **_head("v1beta3"),
        "apiServer": {"extraArgs": dict(flags), "extraVolumes": [_volume()]},
        "etcd": {"local": {"extraArgs": {"unsafe-no-fsync": "true"}}},
    }


def _kubelet(kubernetes: str) -> list[dict[str, Any]]:
    """Let the kubelet start a killed API server again at once, not after 10, 20, 40 s: 1.35 and newer can.

    Source: KubeletCrashLoopBackOffMax in pkg/features/kube_features.go; without that gate the kubelet refuses the key.
    """
    if int(kubernetes.removeprefix("v").split(".")[1]) < 35:
        return []
    head = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
    return [{**head, "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"}}]


def _head(version: str) -> dict[str, Any]:
    return {"apiVersion": f"kubeadm.k8s.io/{version}", "kind": "ClusterConfiguration"}


def _volume() -> dict[str, Any]:
    return {"name": _VOLUME, "hostPath": str(IN_NODE), "mountPath": str(IN_NODE), "pathType": "Directory"}


def additional_server(first: Mapping[str, Any], name: str, port: int, flags: Mapping[str, str]) -> dict[str, Any]:
    """The static pod of one more API server next to the ``first`` one in its node: on ``port``, with other ``flags``.

    Everything else is as kubeadm made it, so that the two differ in nothing else. It keeps out of the endpoints of the
    service ``kubernetes``, and asks for no resources, which a small machine has for one only.
    """
    pod: dict[str, Any] = json.loads(json.dumps(first))
    (container,) = pod["spec"]["containers"]
    own = {**flags, "secure-port": str(port), "endpoint-reconciler-type": "none"}
    kept = [argument for argument in container["command"] if argument.removeprefix("--").partition("=")[0] not in own]
    container["command"] = [*kept, *(f"--{flag}={value}" for flag, value in own.items())]
    container["ports"] = [
        {**there, **{key: port for key in ("containerPort", "hostPort") if there.get(key) == FIRST_PORT}}
        for there in container.get("ports", [])
    ]
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe, {}).get("httpGet", {}).get("port") == FIRST_PORT:
            container[probe]["httpGet"]["port"] = port
    container.pop("resources", None)
    pod["metadata"] = {"name": name, "namespace": "kube-system", "labels": {"tier": "control-plane"}}
    return pod
