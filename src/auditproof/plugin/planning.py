"""The plan of a run: every item that was collected and not deselected, whatever happens to it afterwards.

With workers, each of them collects and leaves its plan in the run directory, where the controller reads it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import content
from auditproof.plugin.backend_records import is_backend_test
from auditproof.plugin.collect import CaseItem
from auditproof.plugin.course import proves
from auditproof.plugin.given_policies import OR_NAME_ONE
from auditproof.plugin.offline import RecordItem
from auditproof.plugin.reference import is_reference, suite_files
from auditproof.plugin.session import version_of_item

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from auditproof.plugin.options import Options
    from auditproof.proof.placement import Placement

REMOVED = "it was removed from the run after the collection, without being deselected"


@dataclass(slots=True)
class Plan:
    """The ids of the items with proofs and of the backend tests, and how many items were ``deselected``.

    ``removed`` were collected and then disappeared without being deselected. ``reference`` are the ids of the reference
    cases among the proofs, and ``whole`` says that these are all that there are; ``left_out`` counts, by the version
    that the ids name, those for which an attestation stands.
    """

    proofs: list[str] = field(default_factory=list)
    backend_tests: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    reference: list[str] = field(default_factory=list)
    whole: bool = False
    left_out: dict[str, int] = field(default_factory=dict)
    deselected: int = 0
    refused: str = ""  # why the run cannot begin
    worker: str = ""  # the id of a worker, if this is its plan, and its process id
    process: int = 0


class Collection:
    """The collected and the deselected items of a process; items are compared by identity, not by their ids."""

    def __init__(self) -> None:
        self._found: list[pytest.Item] = []
        self._deselected: list[pytest.Item] = []
        self._left_out: list[pytest.Item] = []

    def found(self, items: Iterable[pytest.Item]) -> None:
        """Note collected items."""
        self._found += filter(is_auditproofs, items)

    def deselected(self, items: Iterable[pytest.Item]) -> None:
        """Note items that pytest, or a plugin, has deselected."""
        self._deselected += filter(is_auditproofs, items)

    def leave_out(self, items: Iterable[pytest.Item]) -> None:
        """Note reference cases that are about to be deselected, because the run leaves them out."""
        self._left_out += items

    @property
    def has_left_out(self) -> bool:
        """Whether the run leaves reference cases out."""
        return bool(self._left_out)

    def plan(self, selected: Iterable[pytest.Item]) -> Plan:
        """The plan of a run that performs ``selected``."""
        kept = list(selected)
        left = {id(item) for item in (*kept, *self._deselected)}
        names = {item.nodeid for item in kept}  # a plugin may replace an item
        removed = [item for item in self._found if id(item) not in left and item.nodeid not in names]
        own = [item for item in self._found if is_reference(item)]
        reference, files = {item.nodeid for item in own}, {item.path for item in own}
        mixed = sum(1 for item in self._found if item.path in files) > len(own)
        left_out = set(map(id, self._left_out))
        return Plan(
            [item.nodeid for item in kept if proves(item)],
            [item.nodeid for item in kept if is_backend_test(item)],
            [item.nodeid for item in removed],
            reference=sorted(reference & names),
            whole=reference <= names and not mixed and suite_files() <= {item.path for item in self._found},
            left_out=dict(Counter(version_of_item(item) for item in self._left_out)),
            deselected=len({id(item) for item in self._deselected} - left_out),
        )


COLLECTION: pytest.StashKey[Collection] = pytest.StashKey()


def is_auditproofs(item: pytest.Item) -> bool:
    """Whether an item is expected to have a proof, or tests audit backends."""
    return proves(item) or is_backend_test(item)


def collection_of(config: pytest.Config) -> Collection:
    """The collection of this process."""
    return config.stash.setdefault(COLLECTION, Collection())


def without_policy(items: Iterable[pytest.Item], options: Options) -> str:
    """Why the items cannot be judged, if they need a policy and none is given; otherwise an empty text.

    A policy that the user never named would judge cases about another one. Only auditproof's own suites have a default.
    """
    if options.policy_given:
        return ""
    # Whether a Python test has a policy of its own is known only when it asks for the fixture.
    lacking = (
        item
        for item in items
        if isinstance(item, RecordItem) or (isinstance(item, CaseItem) and not has_policy(item, item.placement))
    )
    first = next(lacking, None)
    return f"no policy is given to judge {first.nodeid} by: {OR_NAME_ONE}" if first else ""


def has_policy(item: pytest.Item, placement: Placement) -> bool:
    """Whether an item is judged by some policy, if the run is given none."""
    return placement.policy is not None or content.shipped_name(item.path) is not None


def leave_plan(folder: Path, worker: str, plan: Plan) -> None:
    """Write a worker's plan for the controller."""
    data = asdict(plan) | {"worker": worker, "process": os.getpid()}
    (folder / f"plan-{worker}.json").write_text(json.dumps(data), encoding="utf-8")


def read_plan(folder: Path, worker: str) -> Plan:
    """Read a worker's plan; an empty one if it has left none."""
    file = folder / f"plan-{worker}.json"
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return Plan(**data)
