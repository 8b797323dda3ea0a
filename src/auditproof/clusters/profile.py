"""Cluster profiles: the declarative description of where a proof runs (clusters/*.yaml)."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from auditproof import content
from auditproof.errors import Position, Problem, SourceError
from auditproof.model import Strict, read_model
from auditproof.settings import RESERVED


class _File(Strict):
    apiVersion: Literal["auditproof/v1"]
    kind: Literal["Profile"]
    provider: Literal["embedded", "kind"]
    kubernetes: str = Field(pattern=r"^v?1\.[0-9]+(\.[0-9]+)?$")
    auditLog: dict[str, str] = Field(default_factory=dict)
    flags: dict[str, str] = Field(default_factory=dict)
    image: str = ""
    engine: Literal["", "docker", "nerdctl", "podman"] = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A cluster to be: ``audit_log`` are the --audit-log-* flags by their last part, ``flags`` any other flags.

    For kind alone: ``image`` is the node image and ``engine`` what runs it; kind chooses where they are empty.
    """

    provider: str
    kubernetes: str
    audit_log: dict[str, str]
    flags: dict[str, str]
    image: str = ""
    engine: str = ""


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
        Problem(root.at((key,)).position, f"{key}: only a kind cluster has one")
        for key, value in (("image", file.image), ("engine", file.engine))
        if value and file.provider != "kind"
    ]
    if problems:
        raise SourceError(sorted(problems, key=lambda problem: problem.position))
    return Profile(
        file.provider, file.kubernetes, dict(file.auditLog), dict(file.flags), image=file.image, engine=file.engine
    )


def _path(name_or_path: str) -> Path:
    if "/" in name_or_path or name_or_path.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    folder = content.root() / "clusters"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name_or_path not in known:
        guess = difflib.get_close_matches(name_or_path, known, n=1)
        meant = f"; did you mean {guess[0]}?" if guess else ""
        text = f"there is no cluster profile of this name{meant}; known: {', '.join(known)}, or the path of a file"
        raise SourceError([Problem(Position(name_or_path, 1, 1), text)])
    return folder / f"{name_or_path}.yaml"
