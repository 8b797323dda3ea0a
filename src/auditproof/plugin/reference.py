"""The reference cases of a run: the shipped ones with policies of their own, which show what auditproof and server do.

They say nothing about the given policy. So they are performed once for the same auditproof, servers and flags; later
runs name the attestation of that (``--audit-reference once``).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof import content
from auditproof.attestation import Found, find_attestation, subject_of
from auditproof.plugin.collect import CaseItem
from auditproof.plugin.course import proves
from auditproof.plugin.fixtures import marked
from auditproof.plugin.generated import MadeCollector
from auditproof.plugin.reference_choice import ReferenceChoice, ReferenceMode
from auditproof.plugin.session import session_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from auditproof.plugin.session import AuditSession
    from auditproof.proof.placement import Placement

SUITES, BACKENDS = "suites", "backends"
SELECTS = ("markexpr", "keyword", "lf", "stepwise")
FILES = ("*.audit.yaml", "test_*.py")


def choose_reference(sessions: Iterable[AuditSession]) -> None:
    """Choose for each session; all files are hashed in parallel."""
    chosen = list(sessions)
    with ThreadPoolExecutor(len(chosen)) as pool:
        for session, choice in zip(chosen, pool.map(_choice, chosen), strict=True):
            session.reference = choice


def _choice(session: AuditSession) -> ReferenceChoice:
    options = session.options
    if options.sabotage or options.recorded or options.reference == ReferenceMode.ALWAYS:
        return ReferenceChoice()
    if options.reference == ReferenceMode.NEVER:
        return ReferenceChoice(left_out=True)
    provider = options.profile.provider
    if provider != "embedded":
        return ReferenceChoice(found=Found(why=f"there are no attestations of a cluster of the kind {provider}"))
    binaries = session.present_binaries
    if binaries is None:
        return ReferenceChoice(found=Found(why="the servers' binaries are not there yet"))
    try:
        subject = subject_of(binaries, options.profile)
    except OSError as error:
        return ReferenceChoice(found=Found(why=f"{error.filename} cannot be read: {error.strerror}"))
    found = find_attestation(subject)
    return ReferenceChoice(left_out=found.attestation is not None, found=found, subject=subject)


def spare_files(config: pytest.Config, sessions: Iterable[AuditSession]) -> None:
    """Let no file be collected of which every version has an attestation, if the user has selected nothing."""
    chosen = list(sessions)
    attested = [session.reference.found.attestation for session in chosen]
    if selects(config) or not collects_suites(config):
        return
    named = [{name.partition("::")[0] for name in (*one.proven, *one.not_supported)} for one in attested if one]
    files = frozenset.intersection(*map(frozenset, named)) if len(named) == len(attested) else frozenset()
    for session in chosen:
        session.reference = replace(session.reference, files=files)


def selects(config: pytest.Config) -> bool:
    """Whether an option of pytest may leave out some of the cases."""
    return any(getattr(config.option, name, "") for name in SELECTS)


def placement_of(item: pytest.Item) -> Placement:
    """The placement of an item."""
    return item.placement if isinstance(item, CaseItem) else marked(item)


def is_reference(item: pytest.Item) -> bool:
    """Whether an item is of the shipped suites, and is judged by a policy of its own."""
    shipped = content.shipped_name(item.path) is not None and not isinstance(item.parent, MadeCollector)
    return shipped and proves(item) and placement_of(item).policy is not None


def may_be_left_out(item: pytest.Item) -> bool:
    """Whether an item is a reference case that this run leaves out, unless it was asked for nothing else."""
    return session_of(item).reference.left_out and is_reference(item)


def collects_suites(config: pytest.Config) -> bool:
    """Whether the run collects all shipped suites, and not some that the user has named."""
    return str(content.root() / SUITES) in config.args


def suite_files() -> set[Path]:
    """Every file of the shipped suites, without the tests of backends."""
    root = content.root() / SUITES
    return {path for form in FILES for path in root.rglob(form) if path.relative_to(root).parts[0] != BACKENDS}
