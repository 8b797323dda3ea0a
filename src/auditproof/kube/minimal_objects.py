"""The smallest objects that an API server accepts, for actions that do not say what they create. Pure.

Source: the required fields of each kind in the OpenAPI document that the API server serves (/openapi/v3).
"""

from __future__ import annotations

import copy
from typing import Any

NOTHING = "auditproof-nothing"  # a role that nobody has to have made
IMAGE = "registry.invalid/pause:1"  # never pulled: nothing here runs a container
_LABELS = {"app": "auditproof"}
_POD = {"automountServiceAccountToken": False, "containers": [{"name": "main", "image": IMAGE}]}
_TEMPLATE = {"metadata": {"labels": _LABELS}, "spec": _POD}
_WORKLOAD = {"selector": {"matchLabels": _LABELS}, "template": _TEMPLATE}
_JOB = {"template": {"spec": {**_POD, "restartPolicy": "Never"}}}
_SCALED = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "name": NOTHING}

_BODIES: dict[str, dict[str, Any]] = {
    "CronJob": {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": _JOB}, "suspend": True}},
    "DaemonSet": {"spec": _WORKLOAD},
    "Deployment": {"spec": {**_WORKLOAD, "replicas": 0}},
    "HorizontalPodAutoscaler": {"spec": {"scaleTargetRef": _SCALED, "maxReplicas": 2}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}},
    "Job": {"spec": _JOB},
    "LimitRange": {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "4"}}]}},
    "NetworkPolicy": {"spec": {"podSelector": {}}},
    "PersistentVolume": {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"], "hostPath": {"path": "/nowhere"}}
    },
    "PersistentVolumeClaim": {"spec": {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "1Gi"}}}},
    "Pod": {"metadata": {"labels": _LABELS}, "spec": _POD},
    "PodDisruptionBudget": {"spec": {"minAvailable": 0, "selector": {"matchLabels": _LABELS}}},
    "PodTemplate": {"template": _TEMPLATE},
    "PriorityClass": {"value": 7},
    "ReplicaSet": {"spec": {**_WORKLOAD, "replicas": 0}},
    "Role": {"rules": []},
    "RoleBinding": {"roleRef": {**_ROLE, "kind": "Role"}, "subjects": []},
    "ClusterRole": {"rules": []},
    "ClusterRoleBinding": {"roleRef": {**_ROLE, "kind": "ClusterRole"}, "subjects": []},
    "Secret": {"stringData": {"password": "auditproof-canary"}},
    "SelfSubjectAccessReview": {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}},
    "SelfSubjectRulesReview": {"spec": {"namespace": "default"}},
    "Service": {"spec": {"selector": _LABELS, "ports": [{"port": 80}]}},
    "StatefulSet": {"spec": {**_WORKLOAD, "serviceName": "web", "replicas": 0}},
    "StorageClass": {"provisioner": "example.com/nothing"},
    "SubjectAccessReview": {"spec": {"user": "alice", "resourceAttributes": {"verb": "get", "resource": "pods"}}},
    "LocalSubjectAccessReview": {
        "spec": {"user": "alice", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}
    },
    "TokenReview": {"spec": {"token": "auditproof-canary"}},
    "IngressClass": {"spec": {"controller": "example.com/nothing"}},
    "RuntimeClass": {"handler": "nothing"},
    "CSIDriver": {"spec": {}},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": []},
    "Lease": {"spec": {}},
    "ResourceQuota": {"spec": {"hard": {"pods": "1000"}}},
}
_SUBRESOURCES: dict[str, dict[str, Any]] = {
    "token": {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    "eviction": {"apiVersion": "policy/v1", "kind": "Eviction"},
    "binding": {
        "apiVersion": "v1",
        "kind": "Binding",
        "target": {"apiVersion": "v1", "kind": "Node", "name": "nowhere"},
    },
    "scale": {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 0}},
}


def minimal_body(kind: str, subresource: str = "") -> dict[str, Any]:
    """A body for a new object of ``kind``, or for a request to a subresource; names are filled in by the caller."""
    body = _SUBRESOURCES.get(subresource) or _BODIES.get(kind, {})
    return copy.deepcopy(body)
