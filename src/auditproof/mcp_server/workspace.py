"""What a client may name: texts, and files in one folder. Nothing outside of it is read, and nothing is written."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.analysis.requirements import shipped
from auditproof.analysis.requirements.load import SHIPPED
from auditproof.audit.policy.load import parse_policy
from auditproof.audit.policy.place import Place
from auditproof.audit.policy_sources.advice import with_advice
from auditproof.audit.policy_sources.find import embedded
from auditproof.clusters.policy_files import PolicyFiles
from auditproof.detections import load_rules
from auditproof.detections.as_requirements import load_required
from auditproof.errors import AuditproofError, PolicyRefused
from auditproof.text.paths import is_file, is_folder, names_beside, path_of
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditproof.analysis.requirements import RequirementsFile
    from auditproof.audit.policy.load import Policy
    from auditproof.detections import Rules

MOST_BYTES = 4 << 20  # of a text or a file; the longest policies that people have are a hundredth of it


class Workspace:
    """The folder ``folder`` and what is below it; symbolic links lead no further."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def policy(self, text: str, path: str, *, kubernetes: str, name: str = "policy") -> Policy:
        """The policy with this text or at this path, as the API server of version ``kubernetes`` reads it.

        ``name`` is the argument that has the text; that of the path has ``Path`` behind it. Raises AuditproofError
        unless exactly one of them is given, and for a path that may not be read; SourceError and PolicyRefused as
        PolicyFiles does.
        """
        if bool(text.strip()) is bool(path):
            raise AuditproofError(
                f"give {name}, the text of a policy, or {name}Path, the path of its file: exactly one of the two"
            )
        if text.strip():
            return _of_text(text, name, kubernetes)
        self._file(path.split("#")[0] if not is_file(self.folder / path_of(path)) else path)
        return _Confined(self).load_given(path, self.folder, kubernetes=kubernetes)

    def requirements(self, names: Sequence[str], kubernetes: str) -> list[RequirementsFile]:
        """The shipped requirements of these names, and those in files and folders.

        Raises AuditproofError for a name that is neither, and SourceError for mistakes in a file.
        """

        def read(path: str) -> Policy:
            return self.policy("", path, kubernetes=kubernetes)

        known = shipped(SHIPPED)
        for name in names:
            if name not in known and self._lacks(self.folder / path_of(name)):
                meant = did_you_mean(name, known, quote="")
                raise AuditproofError(f"requirements {name}: neither a file nor one of {', '.join(known)}{meant}")
        given = [name if name in known else self._readable(name) for name in dict.fromkeys(names)]
        return [load_required(name, kubernetes, read) for name in given]

    def rules(self, paths: Sequence[str]) -> Rules:
        """The detection rules in files and folders. Raises AuditproofError as load_rules does."""
        if not paths:
            raise AuditproofError("give rules: paths of files or folders with detection rules")
        return load_rules([self._readable(path) for path in dict.fromkeys(paths)])

    def check(self, path: Path, called: str) -> None:
        """Raise AuditproofError unless ``path`` may be read: a file of ordinary size, in the folder."""
        if not path.resolve().is_relative_to(self.folder):
            raise AuditproofError(
                f"{called} is outside of {self.folder}, the folder that this server was started in: only files in it "
                "are read; give the text instead"
            )
        try:
            found = path.stat()
        except OSError as error:
            raise AuditproofError(f"{called} cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(found.st_mode):
            raise AuditproofError(f"{called} is no ordinary file")
        if found.st_size > MOST_BYTES:
            raise AuditproofError(f"{called} has more than {MOST_BYTES >> 20} MiB, and is not read")

    def _lacks(self, path: Path) -> bool:
        """Whether a path in the folder leads to nothing; of paths outside nothing is said."""
        return path.resolve().is_relative_to(self.folder) and not os.path.exists(path)  # noqa: PTH110 - see is_file

    def _file(self, given: str) -> Path:
        """The file that ``given`` names."""
        path = self.folder / path_of(given)
        if self._lacks(path):
            meant = did_you_mean(path.name, names_beside(path))
            raise AuditproofError(f"{given}: no such file in {self.folder}{meant}")
        self.check(path, given)
        return path

    def _readable(self, given: str) -> str:
        """The file or folder that ``given`` names, as a path from the current folder."""
        path = self.folder / path_of(given)
        if is_folder(path) and path.resolve().is_relative_to(self.folder):
            for file in path.rglob("*"):
                if not is_folder(file):
                    self.check(file, str(Path(given) / file.relative_to(path)))
        else:
            self._file(given)
        return str(path) if Path.cwd() != self.folder else given


class _Confined(PolicyFiles):
    """Reads files of a workspace alone, also where one file names another."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace

    def read_by(self, path: Path, read: Callable[[], bytes]) -> bytes:
        """As for every run, of files that may be read. Raises AuditproofError for others."""
        if path not in self._known and "#" not in path.name:
            self._workspace.check(path, path.name)
        return super().read_by(path, read)


def _of_text(text: str, name: str, kubernetes: str) -> Policy:
    """The policy that a text is, or that is inside a document such as a ConfigMap."""
    data = text.encode(errors="surrogatepass")
    if len(data) > MOST_BYTES:
        raise AuditproofError(f"{name} has more than {MOST_BYTES >> 20} MiB, and is not read")
    inside = [one for one in embedded(data, name) if not one.is_bare]
    if len(inside) > 1:
        places = ", ".join(one.name for one in inside)
        raise AuditproofError(f"{name} holds {len(inside)} audit policies ({places}): give the text of one of them")
    place = inside[0].place if inside else Place.file(name)
    data = inside[0].data if inside else data
    try:
        return parse_policy(data, place, kubernetes=kubernetes)
    except PolicyRefused as error:
        raise with_advice(error, data, place) from None
