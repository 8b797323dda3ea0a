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


class KeyPairModel(Strict):
    """A certificate and its key, as paths of PEM files."""

    certificate: str = Field(default="", description="path of the certificate, relative to the profile")
    key: str = Field(default="", description="path of its private key, relative to the profile")


class ProfileModel(Strict):
    """A cluster profile: where a run takes place."""

    apiVersion: Literal["auditproof/v1"]
    kind: Literal["Profile"]
    provider: Literal["embedded", "kind", "existing"] = Field(
        description="embedded: local processes; kind: a node in a container; existing: a cluster that you have"
    )
    kubernetes: str = Field(pattern=r"^v?1\.[0-9]+(\.[0-9]+)?$", description="the version, such as 1.37 or 1.37.2")
    auditLog: dict[str, str] = Field(
        default_factory=dict, description="--audit-log-* flags, by the last part of their name, such as maxsize"
    )
    flags: dict[str, str] = Field(
        default_factory=dict, description="other flags of kube-apiserver, without the dashes; some are auditproof's own"
    )
    servers: int = Field(default=1, ge=1, le=9, description="embedded: API servers per policy, behind one address")
    image: str = Field(default="", description="kind: the node image (default: kind's own)")
    engine: Literal["", "docker", "nerdctl", "podman"] = Field(default="", description="kind: the container engine")
    kubeconfig: str = Field(
        default="", description="existing: a path relative to the profile, or default for the one that kubectl takes"
    )
    context: str = Field(default="", description="existing: the context (default: the kubeconfig's current one)")
    log: list[str] = Field(
        default_factory=list, description="existing: where each API server's log is read, as for the option --log"
    )
    rights: Literal["namespaces", "cluster"] = Field(
        default="namespaces", description="existing: where a run may give rights: in its own namespaces, or anywhere"
    )
    clientCA: KeyPairModel = Field(
        default_factory=KeyPairModel,
        description="existing: the authority whose client certificates the cluster accepts",
    )


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
    file, root = read_model(path, ProfileModel)
    problems = [
        Problem(root.at(("flags", flag)).position, f"flags.{flag}: this flag is set by auditproof itself")
        for flag in file.flags
        if flag in RESERVED
    ]
    problems += [
        Problem(root.at((key,)).position, f"{key}: only {'an' if owner == 'existing' else 'a'} {owner} cluster has one")
        for owner, keys in _OWN_KEYS.items()
        for key in keys
        if getattr(file, key) != ProfileModel.model_fields[key].get_default(call_default_factory=True)
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


def _place_of(file: ProfileModel, folder: Path, logs: tuple[str, ...]) -> Place:
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
