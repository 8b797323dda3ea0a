"""The path of a policy that a document names: kubeadm, kind, K3s, RKE2, kOps, the manifest of a kube-apiserver."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from auditproof.audit.policy_sources.containers import walk
from auditproof.audit.policy_sources.documents import documents, text_at, text_of
from auditproof.audit.policy_sources.find import WORTH
from auditproof.kube.yaml.yaml_text import Mapping, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.errors import Position

_FLAG = "audit-policy-file"
_ARGUMENT = re.compile(rf"(?:--)?{_FLAG}=(\S+)")
_KEYS = (_FLAG, "auditPolicyFile")  # the latter is kOps' spec.kubeAPIServer
_MOST_MOUNTS = 5  # from a path in a container to one on a node to one on the host


@dataclass(frozen=True, slots=True)
class NamedPath:
    """A policy that a document names by its path: ``path`` as it is written, ``host`` where mounts lead it to."""

    position: Position
    path: str
    host: str

    @property
    def neighbours(self) -> tuple[str, ...]:
        """Where it may be, relative to the folder of the document: its path on the host, or a file of its name."""
        host = [] if PurePosixPath(self.host).is_absolute() else [self.host]
        names = [PurePosixPath(path).name for path in (self.host, self.path)]
        return tuple(dict.fromkeys([*host, *names]))


def named_paths(data: bytes, path: str) -> list[NamedPath]:
    """The paths that the documents in ``data`` name, in the order of the text."""
    text = text_of(data)
    # Without the first letter, whose case varies.
    if text is None or "udit" not in text:
        return []
    roots = [document.root for document in documents(text, path, worth=WORTH)]
    for root in list(roots):
        for node in walk(root):
            if isinstance(node.value, str) and "\n" in node.value and _FLAG in node.value:  # kind's patches of kubeadm
                inner = documents(node.value, path, worth=WORTH)
                roots += [_moved(document.root, node.position) for document in inner]
    mounts = [mount for root in roots for mount in _mounts(root)]
    found = [NamedPath(where, value, _host(value, mounts)) for root in roots for where, value in _named(root)]
    return list({(one.position, one.path): one for one in found}.values())


def _moved(root: Node, position: Position) -> Node:
    """A tree whose every value is at ``position``: that of the text which it was read from."""
    value = root.value
    if isinstance(value, Mapping):
        entries = {key: _moved(entry, position) for key, entry in value.entries.items()}
        return Node(Mapping(entries, value.keys, value.repeated), position)
    return Node(tuple(_moved(item, position) for item in value) if isinstance(value, tuple) else value, position)


def _named(root: Node) -> Iterator[tuple[Position, str]]:
    for node in walk(root):
        if isinstance(node.value, Mapping):
            for key in _KEYS:
                if (value := text_at(node, key)) and "\n" not in value:
                    yield node.value.entries[key].position, value
            if text_at(node, "name") == _FLAG and (value := text_at(node, "value")):  # kubeadm since v1beta4
                yield node.position, value
        elif isinstance(node.value, str) and (argument := _ARGUMENT.fullmatch(node.value)):
            yield node.position, argument[1]


def _mounts(root: Node) -> Iterator[tuple[str, str]]:
    """The paths that are somewhere else outside: of kubeadm's extraVolumes, kind's extraMounts and a Pod's volumes."""
    volumes, mounted = {}, []
    for node in walk(root):
        host = text_at(node, "hostPath")
        for key in ("mountPath", "containerPath"):
            if host and (inside := text_at(node, key)):
                yield inside, host
        if path := text_at(node, "hostPath", "path"):
            volumes[text_at(node, "name")] = path
        elif (inside := text_at(node, "mountPath")) and not host:
            mounted.append((inside, text_at(node, "name")))
    for inside, name in mounted:
        if name in volumes:
            yield inside, volumes[name]


def _host(path: str, mounts: list[tuple[str, str]]) -> str:
    """Where a path leads: each mount is taken once, the longest first."""
    left = sorted(mounts, key=lambda mount: -len(mount[0]))
    for _ in range(_MOST_MOUNTS):
        for inside, host in left:
            if path == inside or path.startswith(f"{inside.rstrip('/')}/"):
                path = host.rstrip("/") + path[len(inside.rstrip("/")) :]
                left.remove((inside, host))
                break
        else:
            break
    return path
