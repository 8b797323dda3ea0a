"""What kinds of documents hold an audit policy, and where in each: one small function per kind, all in one table.

Each takes the value of a document and gives what may be a policy. Every other text of a document is looked at, too, so
that Helm values, Terraform's JSON and whatever is not in the table need no function of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.policy_sources.documents import child, text_at
from auditproof.kube.yaml.yaml_text import Mapping, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Path = tuple[str | int, ...]
_EVENTS = ("Event", "EventList")  # the group's other kinds
_OWN = "auditproof/"  # a report has the text of its policy, which is no other policy
_OWN_COPY = "kubectl.kubernetes.io/last-applied-configuration"  # of the document that it is in


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that may be a policy, or that holds one.

    ``encoding`` is what has to be undone, innermost last (see find.decoded). ``is_policy``: it is one by its place, so
    that whatever is wrong with it is an error of the policy. ``lacks_type``: apiVersion and kind are added by what
    reads the document.
    """

    path: Path
    node: Node
    encoding: str = ""
    is_policy: bool = False
    lacks_type: bool = False


def candidates(root: Node, at: Path = ()) -> Iterator[Candidate]:
    """What may be a policy in a document."""
    kind, api_version = text_at(root, "kind"), text_at(root, "apiVersion")
    if api_version.startswith(_OWN):
        return
    if kind.endswith("List") and api_version == "v1":
        for number, item in _items(child(root, "items")):
            yield from candidates(item, (*at, "items", number))
        return
    given: set[int] = set()
    for applies, family in FAMILIES:
        for one in family(root) if applies(kind, api_version, root) else ():
            given.add(id(one.node))
            yield Candidate((*at, *one.path), one.node, one.encoding, one.is_policy, one.lacks_type)
    # Whatever no family knows: a policy may be in any text of any document.
    yield from _anything(root, at, given)


def _config_map(root: Node) -> Iterator[Candidate]:
    """ConfigMap, Gardener's included: Kubernetes' core/v1."""
    yield from _entries(root, ("data",))
    yield from _entries(root, ("binaryData",), "base64")


def _secret(root: Node) -> Iterator[Candidate]:
    yield from _entries(root, ("stringData",))
    yield from _entries(root, ("data",), "base64")


def _kops(root: Node) -> Iterator[Candidate]:
    """FileAssetSpec of kOps' Cluster and InstanceGroup (pkg/apis/kops/cluster.go)."""
    for number, asset in _items(child(root, "spec", "fileAssets")):
        is_base64 = (flag := child(asset, "isBase64")) is not None and flag.value is True
        yield from _value(asset, ("content",), ("spec", "fileAssets", number), "base64" if is_base64 else "")


def _talos(root: Node) -> Iterator[Candidate]:
    """A machine configuration of Talos, or a patch of one."""
    yield from _value(root, ("cluster", "apiServer", "auditPolicy"), is_policy=True)
    for number, file in _items(child(root, "machine", "files")):
        yield from _value(file, ("content",), ("machine", "files", number))


_KUBEADM_FILES = (
    ("spec", "kubeadmConfigSpec", "files"),  # KubeadmControlPlane
    ("spec", "template", "spec", "kubeadmConfigSpec", "files"),  # KubeadmControlPlaneTemplate
    ("spec", "template", "spec", "files"),  # KubeadmConfigTemplate, RKE2ConfigTemplate
    ("spec", "files"),  # KubeadmConfig, RKE2ControlPlane
)


def _cluster_api(root: Node) -> Iterator[Candidate]:
    """File of Cluster API's bootstrap provider: content is plain, base64, gzip or gzip+base64."""
    for path in _KUBEADM_FILES:
        for number, file in _items(child(root, *path)):
            yield from _value(file, ("content",), (*path, number), text_at(file, "encoding"))


def _cloud_init(root: Node) -> Iterator[Candidate]:
    """write_files of cloud-init (config/cc_write_files.py), with its many names of encodings."""
    for number, file in _items(child(root, "write_files")):
        yield from _value(file, ("content",), ("write_files", number), text_at(file, "encoding").lower())


def _rancher(root: Node) -> Iterator[Candidate]:
    """RKE2 and K3s clusters of Rancher: what is no path is the policy itself."""
    configs: list[Path] = [("spec", "rkeConfig", "machineGlobalConfig")]
    selected: Path = ("spec", "rkeConfig", "machineSelectorConfig")
    configs += [(*selected, number, "config") for number, _ in _items(child(root, *selected))]
    for path in configs:
        if "\n" in text_at(root, *path, "audit-policy-file"):
            yield from _value(root, (*path, "audit-policy-file"), is_policy=True)


def _anything(root: Node, at: Path, seen: set[int]) -> Iterator[Candidate]:
    """Every text in a document, and every object that calls itself audit.k8s.io, but for the nodes in ``seen``."""
    # A stack, filled in reverse: the candidates come in the order of the text.
    pending: list[tuple[Path, Node]] = [(at, root)]
    while pending:
        path, node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))  # of what is aliased, the first place is enough
        if isinstance(node.value, str):
            yield Candidate(path, node)
        elif path != at and is_audit(node):
            yield Candidate(path, node, is_policy=True)
        elif isinstance(node.value, Mapping):
            entries = node.value.entries.items()
            pending += reversed([((*path, key), entry) for key, entry in entries if key != _OWN_COPY])
        elif isinstance(node.value, tuple):
            pending += reversed([((*path, number), item) for number, item in enumerate(node.value)])


def walk(root: Node) -> Iterator[Node]:
    """Every value of a tree, in the order of the text; what is aliased, once."""
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node.value, Mapping):
            pending += reversed(node.value.entries.values())
        elif isinstance(node.value, tuple):
            pending += reversed(node.value)


def is_audit(node: Node) -> bool:
    """Whether an object says that it is of the group audit.k8s.io, in whatever version, and is no event of a log."""
    return text_at(node, "apiVersion").startswith("audit.k8s.io/") and text_at(node, "kind") not in _EVENTS


def _value(
    node: Node,
    path: Path,
    before: Path = (),
    encoding: str = "",
    *,
    is_policy: bool = False,
    lacks_type: bool = False,
) -> Iterator[Candidate]:
    found = child(node, *path)
    if found is not None and isinstance(found.value, str | Mapping):
        yield Candidate((*before, *path), found, encoding, is_policy, lacks_type)


def _entries(root: Node, path: Path, encoding: str = "") -> Iterator[Candidate]:
    found = child(root, *path)
    for key, node in found.value.entries.items() if found is not None and isinstance(found.value, Mapping) else ():
        if isinstance(node.value, str):
            yield Candidate((*path, key), node, encoding)


def _items(node: Node | None) -> Iterable[tuple[int, Node]]:
    return enumerate(node.value if node is not None and isinstance(node.value, tuple) else ())


def _of(group: str, *kinds: str) -> Callable[[str, str, Node], bool]:
    """Whether a document is of one of these kinds, of an API group in any version ("v1" is the core group's)."""
    return lambda kind, version, _: kind in kinds and version.startswith(group)


def _has(*paths: Path) -> Callable[[str, str, Node], bool]:
    return lambda _kind, _version, root: any(child(root, *path) is not None for path in paths)


def _is_talos(kind: str, _version: str, root: Node) -> bool:
    return not kind and any(child(root, key) is not None for key in ("machine", "cluster"))


FAMILIES: tuple[tuple[Callable[[str, str, Node], bool], Callable[[Node], Iterator[Candidate]]], ...] = (
    (_of("v1", "ConfigMap"), _config_map),
    (_of("v1", "Secret"), _secret),
    (_of("kops.k8s.io/", "Cluster", "InstanceGroup"), _kops),
    (_is_talos, _talos),
    # Since Talos 1.14, instead of cluster.apiServer.auditPolicy.
    (_of("v1alpha1", "KubeAuditPolicyConfig"), lambda root: _value(root, ("configuration",), is_policy=True)),
    (_has(*_KUBEADM_FILES), _cluster_api),
    (_has(("write_files",)), _cloud_init),
    (
        _of("anywhere.eks.amazonaws.com/", "Cluster"),
        lambda root: _value(root, ("spec", "controlPlaneConfiguration", "auditPolicyContent"), is_policy=True),
    ),
    (_of("provisioning.cattle.io/", "Cluster"), _rancher),
    # A policy without apiVersion and kind, which k0rdent adds.
    (
        _of("k0rdent.mirantis.com/", "ClusterAuditPolicy"),
        lambda root: _value(root, ("spec", "policy"), is_policy=True, lacks_type=True),
    ),
)
