"""Leaves reference cases out of a run, after every other plugin has selected items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof import content
from auditproof.plugin.planning import collection_of, is_auditproofs
from auditproof.plugin.reference import collects_suites, may_be_left_out
from auditproof.plugin.reference_choice import ReferenceMode
from auditproof.plugin.session import SESSIONS
from auditproof.report.reference import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def collection_lines(config: pytest.Config) -> Iterator[str]:
    """What becomes of the reference cases, as soon as the items are collected."""
    for session in config.stash[SESSIONS]:
        left_out = collection_of(config).has_left_out or session.reference.files
        found, on = session.reference.found, f" on Kubernetes {session.options.kubernetes}"
        if left_out and found.attestation is not None:
            made = found.attestation.made
            cases = f"{len(found.attestation.proven):,} reference cases were proven{on} on {made.day} {made:%B %Y}"
            yield f"{cases} (attestation {found.digest[:SHOWN]}); --reference always performs them again"
        elif left_out:
            yield f"the reference cases{on} are left out (--reference never)"
        elif found.why:
            yield f"reference cases{on}, if selected, are performed: {found.why}"


class LeftOut:
    """A plugin with the last word about the items of a run."""

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Read no file that an attestation stands for as a whole."""
        spared = config.stash[SESSIONS].first.reference.files if SESSIONS in config.stash else ()
        return (content.shipped_name(collection_path) in spared) or None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect what an attestation stands for; but not if the user has selected nothing else."""
        if SESSIONS not in config.stash:
            return
        concerned = [item for item in items if is_auditproofs(item)]
        left = [item for item in concerned if may_be_left_out(item)]
        never = config.stash[SESSIONS].first.options.reference == ReferenceMode.NEVER
        if not left or not (never or (collects_suites(config) and len(left) < len(concerned))):
            return
        collection_of(config).leave_out(left)
        config.hook.pytest_deselected(items=left)
        gone = set(map(id, left))
        items[:] = [item for item in items if id(item) not in gone]
