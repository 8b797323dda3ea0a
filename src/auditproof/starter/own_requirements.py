"""The first requirements file of a user: those that the policy meets; the others are in it as comments."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.analysis.requirements import check_requirement, load_requirements
from auditproof.kube.discovery import load_served
from auditproof.starter.template import filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.audit.policy.load import Policy

FILE = "requirements/own.yaml"
_ENTRY = "  - id: "


@dataclass(frozen=True, slots=True)
class OwnRequirements:
    """The ``text`` of the file, and the ids of the requirements that the policy does and does not meet.

    A policy that meets none has no file: ``text`` is None.
    """

    text: str | None
    met: tuple[str, ...]
    unmet: tuple[str, ...]


def own_requirements(policy: Policy, name: str, schema: str, kubernetes: str) -> OwnRequirements:
    """Requirements for ``policy``, which the user knows by ``name``; ``schema`` is the one for editors."""
    entries = [f"{_ENTRY}{text}" for text in filled("requirements.yaml").split(_ENTRY) if text]
    head = filled("requirements-head.yaml", SCHEMA=schema)
    served = load_served(kubernetes)
    with tempfile.TemporaryDirectory() as folder:
        every = Path(folder) / "own.yaml"
        every.write_text(head + "".join(entries), encoding="utf-8")
        requirements = load_requirements(str(every)).requirements
    met = [not check_requirement(policy, one, served).violations for one in requirements]
    ids = {
        ok: tuple(one.id for one, is_met in zip(requirements, met, strict=True) if is_met is ok) for ok in (True, False)
    }
    if not any(met):
        return OwnRequirements(None, (), ids[False])
    kept = [entry for entry, ok in zip(entries, met, strict=True) if ok]
    others = [entry for entry, ok in zip(entries, met, strict=True) if not ok]
    return OwnRequirements(head + "".join(kept) + _as_comments(others, name), ids[True], ids[False])


def _as_comments(entries: Sequence[str], name: str) -> str:
    if not entries:
        return ""
    lines = [f"# {name} does not meet these yet. `auditproof fix` edits a policy so that it does:"]
    lines += [f"#{line}" for entry in entries for line in entry.splitlines()]
    return "".join(f"{line}\n" for line in lines)
