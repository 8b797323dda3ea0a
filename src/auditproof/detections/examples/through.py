"""A rule's example as a controller sends it: a user creates a Deployment, and a controller creates the Pod. Pure.

Source: pkg/controller/controller_utils.go (GetPodFromTemplate): such a Pod has labels, annotations and finalizers from
its template, a generated name, and an owner.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space.identities import AUTHENTICATED, account_groups
from auditproof.detections.examples.candidates import NAME, NAMESPACE, USER
from auditproof.detections.examples.forecast import Answer, Draft, Forecast
from auditproof.kube.attributes import Attributes, UserInfo
from auditproof.kube.controllers import REPLICAS

if TYPE_CHECKING:
    from auditproof.detections.examples.example import Example

_DEPLOYMENTS, _PODS = "/apis/apps/v1/namespaces/{}/deployments", "/api/v1/namespaces/{}/pods"
# With these a Pod would run, or no Deployment takes it.
_NOT_IN_TEMPLATES = frozenset({"nodeName", "ephemeralContainers", "activeDeadlineSeconds"})
_NO_SCHEDULER = "nobody"


@dataclass(frozen=True, slots=True)
class Through:
    """The create request that a controller sends for an object of auditproof's own.

    ``controller`` is the name of its service account in kube-system. Its namespace has no other object of this kind,
    so ``uri`` (without query) and the controller's User-Agent tell this request from all others.
    """

    controller: str
    uri: str


@dataclass(frozen=True, slots=True)
class Indirect:
    """An example that a controller sends: ``draft`` is its request, ``owner`` the one that a user sends before."""

    draft: Draft
    owner: Draft
    through: Through


def indirect_example(example: Example, name: str) -> Indirect | None:
    """The example ``name`` of a rule as a controller sends it; None if no controller does, or the rule does not match.

    The Deployment is really created, in a namespace of its own, and no scheduler takes its Pods, so nothing runs.

    >>> from auditproof import load_served
    >>> from auditproof.detections import Detection, Field, Operator, Test, both
    >>> from auditproof.detections.examples.example import examples_of
    >>> from auditproof.detections.examples.through import indirect_example
    >>> from auditproof.errors import Position
    >>> created = both(
    ...     Test(Field.at("verb"), Operator.EQUALS, ("create",)),
    ...     Test(Field.at("objectRef.resource"), Operator.EQUALS, ("pods",)),
    ...     Test(Field.at("requestObject.spec.hostPID"), Operator.EQUALS, ("true",)),
    ... )
    >>> rule = Detection("host-pid", "Host PID", "own", (created,), Position("own.yaml", 1, 1))
    >>> found = indirect_example(examples_of(rule, load_served("1.37"))[0], "host-pid")
    >>> found.through.controller, found.draft.attributes.user.name
    ('replicaset-controller', 'system:serviceaccount:kube-system:replicaset-controller')
    """
    asked, body = example.draft.attributes, example.draft.body
    if body is None or asked != replace(asked, verb="create", api_group="", resource="pods", subresource=""):
        return None
    if asked.namespace != NAMESPACE or example.draft.answer is not Answer.ACCEPTED or example.draft.impersonates:
        return None
    template = _template(body)
    if template is None:
        return None
    namespace = f"{NAMESPACE}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    account = REPLICAS.user
    metadata = {
        **template["metadata"],
        "generateName": f"{NAME}-",
        "namespace": namespace,
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": NAME, "controller": True}],
    }
    draft = Draft(
        replace(asked, user=UserInfo(account, account_groups(account)), namespace=namespace),
        Answer.ACCEPTED,
        _PODS.format(namespace),
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]},
        user_agent=f"kube-controller-manager (linux/amd64) kubernetes/{account}",
    )
    if not Forecast.of(draft).fires(example.condition):
        return None
    by = Attributes(UserInfo(USER, (AUTHENTICATED,)), "create", namespace, "apps", "v1", "deployments")
    owner = Draft(by, Answer.ACCEPTED, _DEPLOYMENTS.format(namespace), _deployment(namespace, template))
    return Indirect(draft, owner, Through(REPLICAS.controller, draft.uri))


def _template(pod: dict[str, Any]) -> dict[str, Any] | None:
    """The Pod as a Deployment's template has it; None if it cannot be one, or would run."""
    spec = copy.deepcopy(pod.get("spec", {}))
    if _NOT_IN_TEMPLATES & spec.keys() or spec.get("restartPolicy", "Always") != "Always":
        return None
    if spec.setdefault("schedulerName", _NO_SCHEDULER) != _NO_SCHEDULER:
        return None
    metadata = pod.get("metadata", {})
    known = {key: metadata[key] for key in ("annotations", "finalizers") if key in metadata}
    return {"metadata": {**known, "labels": {**metadata.get("labels", {}), "auditproof": NAME}}, "spec": spec}


def _deployment(namespace: str, template: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"auditproof": NAME}}, "template": template},
    }
