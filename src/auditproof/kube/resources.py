"""The built-in resources, which every supported Kubernetes serves by default, and how their URLs are made. Pure.

Source: what the servers themselves report (see discovery).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from auditproof.errors import AuditproofError
from auditproof.kube.discovery import load_served, minors
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

RBAC = "rbac.authorization.k8s.io"
_UNESCAPED = "$&+:=@"  # what url.PathEscape of Go, and so client-go, leaves as it is


class UnknownResource(AuditproofError, LookupError):
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

        ``subresource`` may have further segments: what follows ``proxy/`` is a path of its own.
        """
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{quote(namespace, safe=_UNESCAPED)}" if namespace and self.namespaced else ""
        path = f"{base}{scope}/{self.plural}"
        if name or subresource:
            path += f"/{quote(name, safe=_UNESCAPED)}"
        return f"{path}/{quote(subresource, safe=_UNESCAPED + '/')}" if subresource else path


def _table() -> dict[tuple[str, str], Resource]:
    """Resources by group and plural; the core group comes first, so that ``events`` alone is that of the core group."""
    served = [
        {(entry.group, entry.resource): entry for entry in load_served(minor).resources if not entry.subresource}
        for minor in minors()
    ]
    return {
        key: Resource(entry.group, entry.version, entry.resource, entry.kind, entry.namespaced)
        for key, entry in served[-1].items()
        # Only what every known version serves: a case has the same meaning on all of them.
        if all(key in resources for resources in served)
    }


RESOURCES = _table()


def lookup(name: str) -> Resource:
    """The built-in resource called ``plural`` or ``plural.group``; without a group the first group that has it.

    Raises UnknownResource with a suggestion.
    """
    plural, _, group = name.partition(".")
    for (known_group, known_plural), resource in RESOURCES.items():
        if plural == known_plural and (group == known_group or not group):
            return resource
    known = [".".join(filter(None, (resource.plural, resource.group))) for resource in RESOURCES.values()]
    meant = did_you_mean(name, [*known, *(resource.plural for resource in RESOURCES.values())], quote="")
    raise UnknownResource(f"{name!r} is no built-in resource{meant} (a custom resource also needs version:)")


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
