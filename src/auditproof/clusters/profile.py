"""Cluster profiles: the declarative description of where a proof runs (clusters/*.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from auditproof import content
from auditproof.audit.server_flags import RESERVED
from auditproof.auditlog.sources import parse_source
from auditproof.clusters.cluster import KeyFiles
from auditproof.errors import ClusterError, Position, Problem, SourceError
from auditproof.kube.yaml.strict_model import Strict, read_model
from auditproof.text.paths import path_of
from auditproof.text.suggestion import did_you_mean


class _KeyPair(Strict):
    certificate: str = ""
    key: str = ""


class _File(Strict):
    apiVersion: Literal["auditproof/v1"]
    kind: Literal["Profile"]
    provider: Literal["embedded", "kind", "existing"]
    kubernetes: str = Field(pattern=r"^v?1\.[0-9]+(\.[0-9]+)?$")
    auditLog: dict[str, str] = Field(default_factory=dict)
    flags: dict[str, str] = Field(default_factory=dict)
    servers: int = Field(default=1, ge=1, le=9)
    image: str = ""
    engine: Literal["", "docker", "nerdctl", "podman"] = ""
    kubeconfig: str = ""
    context: str = ""
    log: list[str] = Field(default_factory=list)
    rights: Literal["namespaces", "cluster"] = "namespaces"
    clientCA: _KeyPair = Field(default_factory=_KeyPair)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an existing cluster is, and what may be done there.

    ``kubeconfig`` is a file, or ``default`` for the one that kubectl takes, with its ``context``, the current one where
    that is empty. ``logs`` say where each API server's log is read (see auditlog.sources). ``cluster_rights``: its
    identities may be given rights on the whole cluster, and change what is in no namespace. ``client_authority``
    is the authority whose client certificates it accepts, where certificate and key are known.
    """

    kubeconfig: str = ""
    context: str = ""
    logs: tuple[str, ...] = ()
    cluster_rights: bool = False
    client_authority: KeyFiles | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A cluster to be: ``audit_log`` are the --audit-log-* flags by their last part, ``flags`` any other flags.

    For embedded alone: ``servers`` is how many API servers there are for each policy, behind one address.
    For kind alone: ``image`` is the node image and ``engine`` what runs it; kind chooses where they are empty.
    For an existing cluster alone: ``place`` says where it is.
    """

    provider: str
    kubernetes: str
    audit_log: dict[str, str]
    flags: dict[str, str]
    image: str = ""
    engine: str = ""
    servers: int = 1
    place: Place = Place()


def load_profile(name_or_path: str) -> Profile:
    """The profile of that name in clusters/, or in that file.

    Raises SourceError with everything that is wrong with it, or with the names that there are.
    """
    path = _path(name_or_path)
    file, root = read_model(path, _File)
    problems = [
        Problem(root.at(("flags", flag)).position, f"flags.{flag}: this flag is set by auditproof itself")
        for flag in file.flags
        if flag in RESERVED
    ]
    problems += [
        Problem(root.at((key,)).position, f"{key}: only {'an' if owner == 'existing' else 'a'} {owner} cluster has one")
        for owner, keys in _OWN_KEYS.items()
        for key in keys
        if getattr(file, key) != _File.model_fields[key].get_default(call_default_factory=True)
        and file.provider != owner
    ]
    logs: list[str] = []
    for number, spec in enumerate(file.log):
        try:
            logs.append(str(parse_source(spec, path.parent)))
        except ClusterError as error:
            problems.append(Problem(root.at(("log", number)).position, f"log.{number}: {error}"))
    if problems:
        raise SourceError(sorted(problems, key=lambda problem: problem.position))
    return Profile(
        file.provider,
        file.kubernetes,
        dict(file.auditLog),
        dict(file.flags),
        image=file.image,
        engine=file.engine,
        servers=file.servers,
        place=_place_of(file, path.parent, tuple(logs)),
    )


_OWN_KEYS = {
    "embedded": ("servers",),
    "kind": ("image", "engine"),
    "existing": ("kubeconfig", "context", "log", "rights", "clientCA"),
}


def _place_of(file: _File, folder: Path, logs: tuple[str, ...]) -> Place:
    """Where an existing cluster is; paths are relative to the profile."""
    pair = file.clientCA
    named = file.kubeconfig not in ("", "default")
    return Place(
        str(folder / path_of(file.kubeconfig)) if named else file.kubeconfig,
        file.context,
        logs,
        file.rights == "cluster",
        KeyFiles(folder / path_of(pair.certificate), folder / path_of(pair.key))
        if pair.certificate and pair.key
        else None,
    )


def _path(name_or_path: str) -> Path:
    if "/" in name_or_path or name_or_path.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    folder = content.root() / "clusters"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name_or_path not in known:
        meant = did_you_mean(name_or_path, known, quote="")
        text = f"there is no cluster profile of this name{meant}; known: {', '.join(known)}, or the path of a file"
        raise SourceError([Problem(Position(name_or_path, 1, 1), text)])
    return folder / f"{name_or_path}.yaml"
