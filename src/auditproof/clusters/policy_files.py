"""The policies of a run, each read once: what is judged is what a server gets, whatever happens to the file.

A run knows each policy by a path: that of its file or, of a text that is no file, one under which the text is kept.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from auditproof.audit.policy.load import parse_policy
from auditproof.audit.policy.place import Place
from auditproof.audit.policy_sources.advice import with_advice
from auditproof.clusters.policy_sources import PolicySource, named
from auditproof.errors import ClusterError, PolicyRefused, Position, Problem, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.audit.policy.load import Policy
    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.run.run_directory import RunDirectory

_SHOWN_NAMES = 50


class PolicyFiles:
    """Reads each policy once; from ``share`` on, for all processes of a run, each of which has one of these.

    ``run`` is the run directory of a process that joins a run.
    """

    def __init__(self, run: RunDirectory | None = None) -> None:
        self._run = run
        self._known: dict[Path, bytes] = {}
        self._places: dict[Path, Place] = {}  # of the policies that are not plain files

    def read(self, path: Path) -> bytes:
        """The bytes of a policy as the run read it first. Raises OSError."""
        return self.read_by(path, path.read_bytes)

    def read_by(self, path: Path, read: Callable[[], bytes]) -> bytes:
        """As ``read``, for a text that ``read`` gives where nobody has read it before."""
        if path not in self._known:
            if self._run is None:
                self._known[path] = read()
            else:
                self._known[path] = self._run.read_once(path, read)
        return self._known[path]

    def share(self, run: RunDirectory) -> RunDirectory:
        """Let all processes of ``run`` have what this process has read; return ``run``."""
        for path, data in self._known.items():
            run.read_once(path, partial(bytes, data))
        self._run = run
        return run

    def all(self, given: str, folder: Path, shown: Callable[[Path], str] | None = None) -> list[PolicySource]:
        """All policies that ``given`` names, relative to ``folder``: at least one.

        ``shown`` says what messages call a file, if not as it is given. Raises SourceError where nothing can be read.
        """
        found = named(given, folder, shown, self.read_by)
        for source in found:
            if source.data is not None:
                self.read_by(source.path, partial(bytes, source.data))
                self._places[source.path] = source.place
        return found

    def choose(self, given: str, folder: Path, shown: Callable[[Path], str] | None = None) -> PolicySource:
        """As ``all``, where it has to be one. Raises SourceError with the names of all where there are several."""
        found = self.all(given, folder, shown)
        if len(found) == 1:
            return found[0]
        names = [source.given for source in found]
        more = [f"... and {len(names) - _SHOWN_NAMES} more"] if len(names) > _SHOWN_NAMES else []
        text = f"{len(names)} audit policies are here; name one of them:"
        lines = "\n  ".join([text, *names[:_SHOWN_NAMES], *more])
        raise SourceError([Problem(Position(given, 1, 1), lines)])

    def load(self, path: Path, *, kubernetes: str, name: str) -> Policy:
        """The policy that the run knows by ``path``, as the API server of version ``kubernetes`` reads it.

        ``name`` is what messages call it where it is a file. Raises SourceError where it cannot be read, and
        PolicyRefused, with what helps, where the server would refuse it.
        """
        place = self._places.get(path)
        called = place.name if place else name
        try:
            data = self.read(path)
        except OSError as error:
            where = Position(called, 1, 1)
            raise SourceError([Problem(where, f"the policy cannot be read: {error.strerror}")]) from None
        try:
            return parse_policy(data, place or called, kubernetes=kubernetes)
        except PolicyRefused as error:
            raise with_advice(error, data, place or Place.file(called)) from None

    def load_given(self, given: str, folder: Path, *, kubernetes: str) -> Policy:
        """The policy that a user has named, relative to ``folder``. Raises as ``choose`` and ``load``."""
        source = self.choose(given, folder)
        return self.load(source.path, kubernetes=kubernetes, name=source.place.name)


def check_given(cluster: Cluster, running: Policy) -> None:
    """See that the file that the server was started with is the policy that it is said to run, byte for byte.

    Raises ClusterError where it is not, or no longer is: then what the server runs is unknown.
    """
    try:
        found = hashlib.sha256(cluster.policy.read_bytes()).hexdigest()
    except OSError as error:
        raise ClusterError(f"{cluster.policy}, the policy file of the API server, is gone: {error.strerror}") from None
    if found != running.sha256:
        raise ClusterError(
            f"{cluster.policy}, the policy file of the API server, was changed by another process: its SHA-256 is "
            f"{found}, but that of {running.path}, which it was started with, is {running.sha256}"
        )
