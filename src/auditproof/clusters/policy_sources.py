"""What a user can name as a policy: a file, standard input, a folder, a glob, a file of a git revision.

``FILE#PLACE`` is a policy inside the document FILE. git is asked for the file of a revision, in the repository of the
working directory.
"""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from auditproof.audit.policy.place import Place
from auditproof.audit.policy_sources.find import embedded, is_policy
from auditproof.audit.policy_sources.named_paths import named_paths
from auditproof.errors import Position, Problem, SourceError
from auditproof.text.paths import is_file, is_folder, is_pipe, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STDIN, GIT = "-", "git:"
STDIN_NAME = "standard input"
GIT_TIMEOUT_S = 30.0
SUFFIXES = (".yaml", ".yml", ".json")  # of the files that a folder is searched for
_GLOB = frozenset("*?[")

ShowPath: TypeAlias = "Callable[[Path], str] | None"
ReadBy: TypeAlias = "Callable[[Path, Callable[[], bytes]], bytes]"


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A policy that a user has named.

    ``path`` is what a run knows it by, ``given`` what names it on a command line, ``file`` the file on disk that holds
    it, if any, ``ref`` the git revision that it is read from, if any. ``data`` is its text where it is no file.
    """

    path: Path
    place: Place
    given: str
    file: Path | None
    ref: str = ""
    data: bytes | None = None

    @property
    def folder(self) -> Path:
        """The folder that it is in; if it is no file, the current one."""
        return self.file.parent if self.file else Path.cwd()


@dataclass(frozen=True, slots=True)
class _Holder:
    """What may hold policies: what it is called, how a user names it, and how it is read."""

    path: Path
    name: str
    given: str
    file: Path | None
    read: Callable[[], bytes]
    ref: str = ""


def named(given: str, folder: Path, shown: ShowPath, read_by: ReadBy) -> list[PolicySource]:
    """The policies that ``given`` names, relative to ``folder``, each holder read by ``read_by``: at least one.

    Raises SourceError where something cannot be read, or nothing is there.
    """
    path = folder / path_of(given)
    if given == STDIN or given.startswith(f"{STDIN}#"):
        holder = _Holder(Path("/dev/stdin"), STDIN_NAME, STDIN, None, lambda: sys.stdin.buffer.read())
        return _in_holder(holder, given.partition("#")[2], read_by)
    # What is there by this name comes first: a file may be called git:x, or have a # in its name.
    if is_file(path):
        return _in_holder(_file(given, path, shown), "", read_by)
    if is_folder(path):
        return _in_folder(given, path, read_by)
    if given.startswith(GIT):
        name, _, place = given.partition("#")
        ref, _, file = name.removeprefix(GIT).partition(":")
        holder = _Holder(folder / name, name, name, None, lambda: _blob(name, ref, file, folder), ref)
        return _in_holder(holder, place, read_by)
    for at, letter in enumerate(given):
        if letter == "#" and is_file(folder / path_of(given[:at])):
            return _in_holder(_file(given[:at], folder / path_of(given[:at]), shown), given[at + 1 :], read_by)
    matches = sorted(glob.glob(given, root_dir=folder, recursive=True)) if _GLOB & set(given) else []  # noqa: PTH207 - as a shell
    if matches:
        return [source for match in matches for source in named(match, folder, shown, read_by)]
    return _in_holder(_file(given, path, shown), "", read_by)


def _file(given: str, path: Path, shown: ShowPath) -> _Holder:
    file = path if is_pipe(path) else path.resolve()  # a pipe's link leads to no file
    return _Holder(file, shown(file) if shown else given, given, file, file.read_bytes)


def _blob(given: str, ref: str, name: str, folder: Path) -> bytes:
    """A file of a git revision. Raises SourceError, with git's own words."""
    if not name or ref.startswith("-"):
        raise _wrong(given, "a policy of a git revision is named git:REF:PATH, as in git:main:policies/prod.yaml")
    command = ["git", "cat-file", "blob", f"{ref}:{name}"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=GIT_TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise _wrong(given, "the program git is needed to read it, and is not on the PATH") from None
    except subprocess.TimeoutExpired:
        raise _wrong(given, f"git has not given it within {GIT_TIMEOUT_S:.0f} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ").replace("\n", "; ")
        raise _wrong(given, f"git cannot read it: {said}")
    return done.stdout


def _in_holder(holder: _Holder, choice: str, read_by: ReadBy) -> list[PolicySource]:
    """The policies in a file, or the file itself where none is inside; with a choice, the one at that place."""
    data = _read(holder, read_by)
    inside = [
        PolicySource(
            Path(f"{holder.path}#{one.name}"),
            one.place,
            f"{holder.given}#{one.name}",
            holder.file,
            holder.ref,
            one.data,
        )
        for one in embedded(data, holder.name)
    ]
    if choice:
        chosen = [source for source in inside if source.place.name == f"{holder.name}#{choice}"]
        if not chosen:
            if not inside:
                raise _wrong(holder.name, f"no audit policy is inside this file, at {choice} or elsewhere")
            found = [f"no audit policy is at {choice}; there is:", *(source.given for source in inside)]
            raise _wrong(holder.name, "\n  ".join(found))
        return chosen
    if any(not one.is_bare for one in embedded(data, holder.name)):
        return inside
    followed = _followed(holder, data, read_by)
    if followed:
        return followed
    # Standard input and git cannot be read again by other processes.
    kept = data if holder.file is None else None
    return [PolicySource(holder.path, Place.file(holder.name), holder.given, holder.file, holder.ref, kept)]


def _read(holder: _Holder, read_by: ReadBy) -> bytes:
    try:
        return read_by(holder.path, holder.read)
    except OSError as error:
        raise _wrong(holder.name, f"the policy cannot be read: {error.strerror}") from None


def _followed(holder: _Holder, data: bytes, read_by: ReadBy) -> list[PolicySource]:
    """The policy whose path the documents in a file name, where it is next to that file."""
    if holder.file is None or is_policy(data, holder.name):
        return []
    for one in named_paths(data, holder.name):
        for neighbour in one.neighbours:
            file = holder.file.parent / neighbour
            if is_file(file) and file.resolve() != holder.file:
                given = os.path.normpath(Path(holder.given).parent / neighbour)
                name = os.path.normpath(Path(holder.name).parent / neighbour)
                return _in_holder(replace(_file(given, file, None), name=name), "", read_by)
    return []


def _in_folder(given: str, path: Path, read_by: ReadBy) -> list[PolicySource]:
    """The policies in the files below a folder; files that hold none are passed over."""
    found: list[PolicySource] = []
    for file in _files_below(path):
        holder = _file(str(Path(given) / file.relative_to(path)), file, None)
        data = _read(holder, read_by)
        if is_policy(data, holder.name) or embedded(data, holder.name):
            found += _in_holder(holder, "", read_by)
    if not found:
        raise _wrong(given, f"no file in this folder holds an audit policy (looked at: {', '.join(SUFFIXES)})")
    return found


def _files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder that may hold a policy, without hidden ones, in the order of their names."""
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(path) / name for name in sorted(files) if name.endswith(SUFFIXES) and not name.startswith("."))


def _wrong(name: str, text: str) -> SourceError:
    return SourceError([Problem(Position(name, 1, 1), text)])
