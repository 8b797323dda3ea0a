"""The invented cluster: its nodes, namespaces, applications and clients, all drawn from the seed.

Names, groups, programs and addresses are those of a cluster of kind; its programs are in kubernetes v1.37.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditproof.kube.question import implied_groups
from auditproof.replay.generator.call import Client

if TYPE_CHECKING:
    from random import Random

_BUILD = "v1.37.2 (linux/amd64) kubernetes/2f1e7c4"
_TEAMS = ("shop", "payments", "search", "monitoring", "ci", "ingress", "accounts", "reports")
_ROLES = ("web", "api", "worker")
CREDENTIAL = "authentication.kubernetes.io/credential-id"
_POD = "authentication.kubernetes.io/pod-"
_NODE = "authentication.kubernetes.io/node-"
CONTROL_PLANE = "demo-control-plane"


@dataclass(frozen=True, slots=True)
class App:
    """A Deployment; ``size`` is how many environment variables its containers have."""

    name: str
    namespace: str
    replicas: int
    containers: int
    size: int
    node: str
    uid: str


@dataclass(slots=True)
class InventedCluster:
    """All that has a name in the cluster."""

    random: Random
    nodes: tuple[str, ...]
    namespaces: tuple[str, ...]
    apps: list[App] = field(default_factory=list)

    def uid(self) -> str:
        """A new UID."""
        bits = f"{self.random.getrandbits(128):032x}"
        return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"

    def address(self, node: str) -> str:
        """The address of a node in the network of the container engine."""
        number = self.nodes.index(node) + 2
        return f"172.18.{number // 256}.{number % 256}"

    def pod_address(self, node: str) -> str:
        """An address of a pod on a node."""
        number = self.nodes.index(node)
        return f"10.{244 + number // 256}.{number % 256}.{self._below(250) + 2}"

    def certificate(
        self, name: str, groups: tuple[str, ...], agent: str, ip: str, role: str = "", group: str = ""
    ) -> Client:
        """A client with a certificate; ``role`` is the ClusterRole that lets it, bound to ``group`` or to the user."""
        digest = f"{self.random.getrandbits(256):064x}"
        user = {
            "username": name,
            "groups": list(implied_groups(name, groups)),
            "extra": {CREDENTIAL: [f"X509SHA256={digest}"]},
        }
        return Client(user, agent, ip, _reason(role, f'Group "{group}"' if group else f'User "{name}"'))

    def account(self, namespace: str, name: str, agent: str, node: str = CONTROL_PLANE, role: str = "") -> Client:
        """A service account; if it is that of a pod, its token names the pod and its node."""
        username = f"system:serviceaccount:{namespace}:{name}"
        extra: dict[str, Any] = {CREDENTIAL: [f"JTI={self.uid()}"]}
        ip = self.address(node)
        if not agent.startswith("kube-controller-manager/"):
            bits = f"{self.random.getrandbits(64):016x}"
            extra |= {
                f"{_NODE}name": [node],
                f"{_NODE}uid": [self.uid()],
                f"{_POD}name": [f"{name}-{bits[:9]}-{bits[9:14]}"],
                f"{_POD}uid": [self.uid()],
            }
            ip = self.pod_address(node)
        user = {"username": username, "uid": self.uid(), "groups": list(implied_groups(username)), "extra": extra}
        reason = _reason(role or name, f'ServiceAccount "{name}/{namespace}"')
        return Client(user, agent, ip, reason)

    def _below(self, limit: int) -> int:
        return int(self.random.random() * limit)


def _reason(role: str, subject: str) -> str:
    """What RBAC says; nothing about who may do everything, or is let in by the Node authorizer."""
    return f'RBAC: allowed by ClusterRoleBinding "{role}" of ClusterRole "{role}" to {subject}' if role else ""


def program(name: str, more: str = "") -> str:
    """The User-Agent of a program of Kubernetes."""
    return f"{name}/{_BUILD}{f'/{more}' if more else ''}"


def invent(random: Random, nodes: int, namespaces: int) -> InventedCluster:
    """The cluster of a seed: always the same one for the same sizes."""
    names = (CONTROL_PLANE, *(f"demo-worker{number if number > 1 else ''}" for number in range(1, nodes)))
    spaces = [*_TEAMS[:namespaces], *(f"team-{number:03}" for number in range(len(_TEAMS) + 1, namespaces + 1))]
    cluster = InventedCluster(random, names, tuple(spaces))
    for space in spaces:
        for role in _ROLES:
            node = names[int(random.random() * len(names))]
            cluster.apps.append(
                App(
                    f"{space}-{role}",
                    space,
                    2 + int(random.random() * 4),
                    1 + int(random.random() * 3),
                    int(4 + random.random() ** 3 * 60),
                    node,
                    cluster.uid(),
                )
            )
    return cluster
