"""Which controllers act for an object: who creates the Pods of a Deployment, in the audit log.

With ``--use-service-account-credentials`` each controller is the service account of its name in kube-system, without
it all of them are ``system:kube-controller-manager``, so both are meant.
Source: the rights of each controller in plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go, and
cmd/kube-controller-manager/app (ClientOrDie names the account).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

MANAGER = "system:kube-controller-manager"


@dataclass(frozen=True, slots=True)
class Acting:
    """A controller, and what it changes on behalf of another object."""

    controller: str
    resources: tuple[str, ...]  # as a requirements file writes them
    verbs: tuple[str, ...]

    @property
    def user(self) -> str:
        """Its service account."""
        return f"system:serviceaccount:kube-system:{self.controller}"


_DELETES = ("delete",)
_MAKES = ("create", "patch", "delete")
_PODS = ("pods",)
_JOBS = Acting("job-controller", _PODS, _MAKES)
REPLICAS = Acting("replicaset-controller", _PODS, _MAKES)

# For each kind of object, by its resource, the controllers that act for it.
CONTROLLERS: dict[str, tuple[Acting, ...]] = {
    "cronjobs": (Acting("cronjob-controller", ("jobs",), ("create", "update", "patch", "delete")), _JOBS),
    "daemonsets": (Acting("daemon-set-controller", _PODS, _MAKES),),
    "deployments": (
        Acting("deployment-controller", ("replicasets",), ("create", "update", "patch", "delete")),
        REPLICAS,
    ),
    "horizontalpodautoscalers": (
        Acting(
            "horizontal-pod-autoscaler",
            ("deployments/scale", "replicasets/scale", "statefulsets/scale", "replicationcontrollers/scale"),
            ("update",),
        ),
    ),
    "jobs": (_JOBS,),
    "nodes": (
        Acting("node-controller", _PODS, _DELETES),
        Acting("pod-garbage-collector", _PODS, _DELETES),
    ),
    "replicasets": (REPLICAS,),
    "replicationcontrollers": (Acting("replication-controller", _PODS, _MAKES),),
    "statefulsets": (
        Acting("statefulset-controller", _PODS, ("create", "update", "patch", "delete")),
        Acting("statefulset-controller", ("persistentvolumeclaims",), ("create",)),
    ),
}


def acting_users(owner: str, resources: Collection[str], verbs: Collection[str]) -> tuple[str, ...]:
    """The users who act for objects of ``owner``, a key of CONTROLLERS, on one of ``resources`` with one of ``verbs``.

    No resources or verbs means any, and so does ``*``. Empty if no controller does that.
    """
    found = [
        acting.user
        for acting in CONTROLLERS[owner]
        if (not resources or "*" in resources or set(map(_plain, resources)) & set(acting.resources))
        and (not verbs or set(verbs) & set(acting.verbs))
    ]
    return (*dict.fromkeys(found), MANAGER) if found else ()


def _plain(resource: str) -> str:
    """``deployments/scale`` from ``deployments.apps/scale``."""
    name, slash, part = resource.partition("/")
    return name.partition(".")[0] + slash + part
