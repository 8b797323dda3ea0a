"""The policy that the files are about: the user's where it is, or a first one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof import content
from auditproof.audit.policy.load import parse_policy
from auditproof.clusters.policy_files import PolicyFiles
from auditproof.errors import AuditproofError, SourceError
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy
    from auditproof.clusters.policy_sources import PolicySource

FIRST = "policies/prod.yaml"
SHIPPED = content.root() / "fixtures" / "policies" / "baseline.yaml"


@dataclass(frozen=True, slots=True)
class StartingPolicy:
    """A policy in the folder: ``file`` relative to it, ``place`` inside of the file (``#data.policy.yaml``) or "".

    ``text`` is what is to be written to the file; None if the policy is the user's own.
    """

    file: str
    place: str
    policy: Policy
    text: str | None = None

    @property
    def name(self) -> str:
        """How a command line in the folder names it."""
        return f"{self.file}{self.place}"

    @property
    def folder(self) -> str:
        """The folder of the file, relative and with a slash at its end; "" for the folder itself."""
        return self.file[: self.file.rfind("/") + 1]


def starting_policy(folder: Path, given: str | None, kubernetes: str) -> StartingPolicy:
    """The policy that ``given`` names, else the only one in ``folder``, else the first one that is to be written.

    Raises SourceError if it cannot be read, PolicyRefused if the API server would reject it, and AuditproofError if
    there are several in the folder, or if the given one is not in there.
    """
    files = PolicyFiles()
    source = files.choose(given, Path.cwd()) if given is not None else _only_one(files, folder)
    if source is None:
        text = SHIPPED.read_text(encoding="utf-8")
        return StartingPolicy(FIRST, "", parse_policy(text.encode(), FIRST, kubernetes=kubernetes), text)
    policy = files.load(source.path, kubernetes=kubernetes, name=source.place.name)
    root = folder.resolve()
    if source.file is None or not source.file.is_relative_to(root):
        where = f"{source.given} is not a file in {folder}"
        raise AuditproofError(f"init: {where}: CI needs the policy in the repository; copy it there, and name the copy")
    place = str(source.path).removeprefix(str(source.file))
    if not f"{source.file}{place}".isprintable():
        where = printable(source.given)
        raise AuditproofError(
            f"init: {where}: a job cannot name this file; rename it, without line breaks and the like"
        )
    return StartingPolicy(source.file.relative_to(root).as_posix(), place, policy)


def _only_one(files: PolicyFiles, folder: Path) -> PolicySource | None:
    """The policy in the folder; None if it holds none. Raises AuditproofError if there are several."""
    if not folder.is_dir():
        return None
    try:
        found = files.all(str(folder), Path.cwd())
    except SourceError:
        return None
    if len(found) > 1:
        names = "\n  ".join(source.given for source in found)
        raise AuditproofError(f"init: {len(found)} audit policies are in {folder}; name one with --policy:\n  {names}")
    return found[0]
