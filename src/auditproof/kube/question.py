"""One request as ``explain`` and ``evaluate`` are asked about it: completed as the API server does, and checked. Pure.

A policy decides about any combination of words, so a misspelt one gets an answer about a request that nobody can send.
What does not exist is refused here, with what may be meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.kube.attributes import Attributes, UserInfo, attributes_of
from auditproof.kube.identity import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED
from auditproof.kube.resources import RESOURCES
from auditproof.text.suggestion import closest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from auditproof.kube.discovery import Served

RESOURCE_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy")
PATH_VERBS = ("get", "head", "post", "put", "patch", "delete", "options", "connect", "trace")
# The short names of kubectl (kubectl api-resources); a policy and a URL have the plural.
SHORT_NAMES = {
    "po": "pods",
    "cm": "configmaps",
    "svc": "services",
    "deploy": "deployments",
    "sts": "statefulsets",
    "ds": "daemonsets",
    "rs": "replicasets",
    "rc": "replicationcontrollers",
    "no": "nodes",
    "ns": "namespaces",
    "pv": "persistentvolumes",
    "pvc": "persistentvolumeclaims",
    "sa": "serviceaccounts",
    "ev": "events",
    "ep": "endpoints",
    "ing": "ingresses",
    "netpol": "networkpolicies",
    "pdb": "poddisruptionbudgets",
    "hpa": "horizontalpodautoscalers",
    "cj": "cronjobs",
    "crd": "customresourcedefinitions",
    "csr": "certificatesigningrequests",
    "sc": "storageclasses",
    "pc": "priorityclasses",
    "quota": "resourcequotas",
    "limits": "limitranges",
    "cs": "componentstatuses",
}
_SUBRESOURCE_VERBS = {part: f"pods/{part}" for part in ("exec", "attach", "portforward", "log")}


class NoSuchRequest(ValueError):
    """A request that no API server serves; the message says what may be meant."""


def implied_groups(user: str, groups: Iterable[str] = ()) -> tuple[str, ...]:
    """All groups that the API server's authentication gives to ``user``, whose credential says ``groups``.

    A service account is in system:serviceaccounts and system:serviceaccounts:NAMESPACE, a node in system:nodes, the
    anonymous user in system:unauthenticated and everybody else in system:authenticated.

    Sources: pkg/authentication/group/authenticated_group_adder.go and pkg/authentication/serviceaccount/util.go in
    staging/src/k8s.io/apiserver; a node's certificate has the organization system:nodes, without which the Node
    authorizer does not know it (pkg/auth/nodeidentifier/default.go).

    >>> implied_groups("alice", ["dev"])
    ('dev', 'system:authenticated')
    >>> implied_groups("system:serviceaccount:shop:robot")
    ('system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated')
    """
    found = list(groups)
    account = user.split(":")
    if user.startswith("system:serviceaccount:") and len(account) == 4 and all(account):
        found += ["system:serviceaccounts", f"system:serviceaccounts:{account[2]}"]
    if user.startswith("system:node:"):
        found.append("system:nodes")
    if not {AUTHENTICATED, UNAUTHENTICATED} & set(found):
        found.append(UNAUTHENTICATED if user == ANONYMOUS else AUTHENTICATED)
    return tuple(dict.fromkeys(found))


def user_of(name: str, groups: Iterable[str], *, exact: bool) -> UserInfo:
    """Return the user called ``name`` in ``groups`` and, unless ``exact``, in the groups that are implied."""
    return UserInfo(name, tuple(groups) if exact else implied_groups(name, groups))


def path_question(user: UserInfo | None, verb: str, path: str) -> Attributes:
    """Return the request of ``user`` (None: a failed authentication) for a non-resource ``path``.

    ``verb`` is an HTTP method in lower case. Raises NoSuchRequest if no client can send it.
    """
    if verb not in PATH_VERBS:
        raise NoSuchRequest(f"{verb!r} is no verb of a path: {_meant(verb, PATH_VERBS)}")
    if not path.startswith("/"):
        raise NoSuchRequest(f"the path {path!r} has no leading slash: did you mean /{path}?")
    asked = attributes_of(verb.upper(), path, None)
    if asked.resource_request:
        within = f".{asked.api_group}" if asked.api_group else ""
        part = f"/{asked.subresource}" if asked.subresource else ""
        raise NoSuchRequest(f"{path} is a request for a resource: did you mean {asked.resource}{within}{part}?")
    return Attributes(user, verb, path=path, resource_request=False)


def resource_question(
    served: Served,
    user: UserInfo | None,
    verb: str,
    resource: str,
    subresource: str,
    group: str | None,
    *,
    version: str = "",
    namespace: str = "",
    name: str = "",
) -> Attributes:
    """Return the request of ``user`` for ``resource``; ``group`` None is the first API group that serves it.

    Raises NoSuchRequest as resolve_resource does.
    """
    found = resolve_resource(served, verb, resource, subresource, group)
    return Attributes(user, verb, namespace, found, version, resource, subresource, name)


def resolve_resource(served: Served, verb: str, resource: str, subresource: str, group: str | None) -> str:
    """Return the API group of ``resource``; with ``group`` None, the first one that serves it.

    A group with a dot that the server does not define itself may be one of custom resources: it is taken as it is.
    Raises NoSuchRequest if the verb, the group, the resource or the subresource does not exist.
    """
    if verb not in RESOURCE_VERBS:
        part = _SUBRESOURCE_VERBS.get(verb)
        meant = f"did you mean the verb create on {part}?" if part else _meant(verb, RESOURCE_VERBS)
        raise NoSuchRequest(f"{verb!r} is no verb of a resource: {meant}")
    if group is not None and group not in served.groups:
        if "." in group:
            return group
        raise NoSuchRequest(_no_group(served, resource, group))
    entries = [entry for entry in served.resources if entry.resource == resource and group in (None, entry.group)]
    if not entries:
        raise NoSuchRequest(_no_resource(served, resource, group))
    found = entries[0].group if group is None else group
    parts = {entry.subresource for entry in entries if entry.group == found}
    if subresource not in parts:
        known = sorted(parts - {""})
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise NoSuchRequest(f"{resource} has no subresource {subresource!r}: {_meant(subresource, known, has)}")
    return found


def _no_group(served: Served, resource: str, group: str) -> str:
    named = [g or "the core group, whose name is empty" for g in _groups_of(served, resource)]
    meant = f"{resource} is in {named[0]}" if named else _meant(group, sorted(served.groups - {""}))
    version = " (it is a version)" if group.startswith("v") and group[1:2].isdigit() else ""
    return f"there is no API group {group!r}{version}: {meant}"


def _no_resource(served: Served, resource: str, group: str | None) -> str:
    if group is not None and (others := _groups_of(served, resource)):
        within = f"the API group {group}" if group else "the core group"
        meant = f"{resource}.{others[0]}" if others[0] else f"{resource} of the core group"
        return f"{within} has no {resource}: did you mean {meant}?"
    plurals = sorted({entry.resource for entry in served.resources})
    kinds = {known.kind.lower(): known.plural for known in RESOURCES.values()}
    exact = SHORT_NAMES.get(resource) or kinds.get(resource.lower())
    if exact is None and resource.lower() in plurals:
        exact = resource.lower()
    otherwise = "name a custom resource as PLURAL.GROUP"
    meant = f"did you mean {exact}?" if exact else _meant(resource, plurals, otherwise)
    return f"there is no resource {resource!r}: {meant}"


def _groups_of(served: Served, resource: str) -> list[str]:
    return list(dict.fromkeys(entry.group for entry in served.resources if entry.resource == resource))


def _meant(text: str, known: Collection[str], otherwise: str = "") -> str:
    guess = closest(text, known)
    return f"did you mean {guess}?" if guess is not None else otherwise or f"one of {', '.join(known)}"
