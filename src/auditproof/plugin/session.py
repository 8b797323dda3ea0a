"""The sessions of a pytest process: the engine's, with pytest's options and selected items, one for each version."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from auditproof.attestation import present_binaries
from auditproof.kube.versions import minor
from auditproof.plugin.reference_choice import ReferenceChoice
from auditproof.proof.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditproof.clusters.binaries.find import Binaries
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.plugin.options import Options
    from auditproof.report.model import LogRecord, ProofRecord

SESSIONS: pytest.StashKey[Sessions] = pytest.StashKey()
VERSION_FIXTURE = "audit_kubernetes"  # a test's parameter in a run on several versions


class AuditSession(Session):
    """Everything that one pytest process needs to prove its items on one Kubernetes version.

    The controller (or a run without workers) owns the run directory and removes it; workers join it.
    """

    options: Options

    def __init__(
        self, options: Options, report: Callable[[str], None], policy_files: PolicyFiles, joined: str | None = None
    ) -> None:
        super().__init__(options, report=report, policy_files=policy_files, joined=joined)
        self.reference = ReferenceChoice()
        self.selected: Sequence[pytest.Item] = ()
        self.log_part: LogRecord | None = None  # the report of an offline log, if no actions are performed
        self.recorded_ids: dict[str, str] = {}  # then: the ids of the proofs of requirements
        self.settled: dict[str, ProofRecord] = {}  # of cases whose evidence is nowhere else any more, by case id
        self.concluded = False  # its servers were stopped, because all of its items are done

    @cached_property
    def present_binaries(self) -> Binaries | None:
        """The servers' binaries, if they are there when the run begins."""
        return present_binaries(self.options.kubernetes, self.options.assets)


class Sessions:
    """The sessions of a process: one, or one for each Kubernetes version of the run, oldest first.

    ``versions`` are the minor versions that the items' ids name; empty where the run has one version only.
    """

    def __init__(self, sessions: Sequence[AuditSession]) -> None:
        self._all = tuple(sessions)
        minors = tuple(minor(session.options.kubernetes) for session in self._all)
        self.versions = minors if len(minors) > 1 else ()

    def __iter__(self) -> Iterator[AuditSession]:
        return iter(self._all)

    @property
    def first(self) -> AuditSession:
        """The session of the oldest version: what all sessions have in common, such as the report folder, is here."""
        return self._all[0]

    def of_version(self, version: str) -> AuditSession:
        """The session of one of ``versions``; the first where ``version`` is empty."""
        return self._all[self.versions.index(version)] if version else self._all[0]

    def of(self, item: pytest.Item) -> AuditSession:
        """The session that proves an item."""
        return self.of_version(version_of_item(item))


def version_of_item(item: pytest.Item) -> str:
    """The minor version that an item is about, in a run on several; otherwise empty."""
    callspec = getattr(item, "callspec", None)
    named = callspec.params.get(VERSION_FIXTURE, "") if callspec is not None else ""
    return str(getattr(item, "kubernetes", "") or named)


def session_of(item: pytest.Item) -> AuditSession:
    """The session that proves an item. Raises KeyError before the options are read."""
    return item.config.stash[SESSIONS].of(item)
