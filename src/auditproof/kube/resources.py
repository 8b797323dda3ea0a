"""The resources that an API server of Kubernetes 1.34 to 1.37 serves by default, and how their URLs are made. Pure.

Source: the server's own discovery (/api/v1 and /apis/<group>/<version>), served and storage versions of 1.34 to 1.37.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

RBAC = "rbac.authorization.k8s.io"
# Group and version, then the plural and kind of what lives in a namespace, then of what does not.
_SERVED: tuple[tuple[str, str, str, str], ...] = (
    (
        "",
        "v1",
        (
            "bindings:Binding configmaps:ConfigMap endpoints:Endpoints events:Event limitranges:LimitRange "
            "persistentvolumeclaims:PersistentVolumeClaim pods:Pod podtemplates:PodTemplate "
            "replicationcontrollers:ReplicationController resourcequotas:ResourceQuota secrets:Secret "
            "serviceaccounts:ServiceAccount services:Service"
        ),
        "componentstatuses:ComponentStatus namespaces:Namespace nodes:Node persistentvolumes:PersistentVolume",
    ),
    (
        "apps",
        "v1",
        (
            "controllerrevisions:ControllerRevision daemonsets:DaemonSet deployments:Deployment replicasets:ReplicaSet "
            "statefulsets:StatefulSet"
        ),
        "",
    ),
    ("batch", "v1", "cronjobs:CronJob jobs:Job", ""),
    ("autoscaling", "v2", "horizontalpodautoscalers:HorizontalPodAutoscaler", ""),
    ("policy", "v1", "poddisruptionbudgets:PodDisruptionBudget", ""),
    ("networking.k8s.io", "v1", "ingresses:Ingress networkpolicies:NetworkPolicy", "ingressclasses:IngressClass"),
    ("coordination.k8s.io", "v1", "leases:Lease", ""),
    ("discovery.k8s.io", "v1", "endpointslices:EndpointSlice", ""),
    ("events.k8s.io", "v1", "events:Event", ""),
    (
        RBAC,
        "v1",
        "roles:Role rolebindings:RoleBinding",
        "clusterroles:ClusterRole clusterrolebindings:ClusterRoleBinding",
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "",
        (
            "mutatingwebhookconfigurations:MutatingWebhookConfiguration "
            "validatingwebhookconfigurations:ValidatingWebhookConfiguration "
            "validatingadmissionpolicies:ValidatingAdmissionPolicy "
            "validatingadmissionpolicybindings:ValidatingAdmissionPolicyBinding"
        ),
    ),
    ("apiextensions.k8s.io", "v1", "", "customresourcedefinitions:CustomResourceDefinition"),
    ("apiregistration.k8s.io", "v1", "", "apiservices:APIService"),
    ("authentication.k8s.io", "v1", "", "selfsubjectreviews:SelfSubjectReview tokenreviews:TokenReview"),
    (
        "authorization.k8s.io",
        "v1",
        "localsubjectaccessreviews:LocalSubjectAccessReview",
        (
            "selfsubjectaccessreviews:SelfSubjectAccessReview selfsubjectrulesreviews:SelfSubjectRulesReview "
            "subjectaccessreviews:SubjectAccessReview"
        ),
    ),
    ("certificates.k8s.io", "v1", "", "certificatesigningrequests:CertificateSigningRequest"),
    ("node.k8s.io", "v1", "", "runtimeclasses:RuntimeClass"),
    ("scheduling.k8s.io", "v1", "", "priorityclasses:PriorityClass"),
    (
        "storage.k8s.io",
        "v1",
        "csistoragecapacities:CSIStorageCapacity",
        "csidrivers:CSIDriver csinodes:CSINode storageclasses:StorageClass volumeattachments:VolumeAttachment",
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "",
        "flowschemas:FlowSchema prioritylevelconfigurations:PriorityLevelConfiguration",
    ),
)


_UNESCAPED = "$&+:=@"  # what url.PathEscape of Go, and so client-go, leaves as it is


class UnknownResource(LookupError):
    """A resource that is not in the table; the message suggests what may be meant."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource with everything that its URL needs."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """The apiVersion of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, an object or its subresource; segments are escaped as url.PathEscape does.

        ``subresource`` may have further segments: what stands behind ``proxy/`` is a path of its own.
        """
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{quote(namespace, safe=_UNESCAPED)}" if namespace and self.namespaced else ""
        path = f"{base}{scope}/{self.plural}"
        if name or subresource:
            path += f"/{quote(name, safe=_UNESCAPED)}"
        return f"{path}/{quote(subresource, safe=_UNESCAPED + '/')}" if subresource else path


def _table() -> dict[tuple[str, str], Resource]:
    table = {}
    for group, version, in_namespace, in_cluster in _SERVED:
        for names, namespaced in ((in_namespace, True), (in_cluster, False)):
            for entry in names.split():
                plural, _, kind = entry.partition(":")
                table[group, plural] = Resource(group, version, plural, kind, namespaced)
    return table


RESOURCES = _table()


def lookup(name: str) -> Resource:
    """The built-in resource called ``plural`` or ``plural.group``; without a group the first group that has it.

    Raises UnknownResource with a suggestion.
    """
    plural, _, group = name.partition(".")
    for (known_group, known_plural), resource in RESOURCES.items():
        if plural == known_plural and (group == known_group or not group):
            return resource
    known = [_name(resource) for resource in RESOURCES.values()]
    meant = did_you_mean(name, [*known, *(resource.plural for resource in RESOURCES.values())], quote="")
    raise UnknownResource(f"{name!r} is no built-in resource{meant} (a custom resource also needs version:)")


def _name(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def resource_of(manifest: Mapping[str, Any]) -> Resource:
    """The resource that a manifest's apiVersion and kind belong to.

    Raises UnknownResource where they are not built in.
    """
    group, _, version = str(manifest.get("apiVersion", "")).rpartition("/")
    for resource in RESOURCES.values():
        if resource.kind == manifest.get("kind") and (resource.group, resource.version) == (group, version):
            return resource
    raise UnknownResource(f"{manifest.get('apiVersion')} {manifest.get('kind')} is no built-in resource")


def split_resource(text: str) -> tuple[str, str, str]:
    """Group, resource and subresource out of ``resource[.group][/subresource]``."""
    full, _, subresource = text.partition("/")
    plural, _, group = full.partition(".")
    if not group and (known := next((r for r in RESOURCES.values() if r.plural == plural), None)):
        group = known.group
    return group, plural, subresource
