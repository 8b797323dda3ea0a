"""Requirements in a run: what the space says about them, and the cases that show it on the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.analysis.requirements import check_requirement, required_steps, to_data
from auditproof.analysis.space.client_request import asked_text
from auditproof.cases.expectation import Expectation
from auditproof.proof.made_case import case_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.requirements import Checked, Requirement, RequirementsFile
    from auditproof.analysis.space.client_request import Performable
    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import Case
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class Required:
    """A requirements file with what has come of it; ``suite`` is what the ids of its items begin with."""

    file: RequirementsFile
    suite: str
    checked: tuple[Checked, ...]
    performed: tuple[tuple[Requirement, Performable], ...]

    def cases(self) -> Iterator[Case]:
        """A case for every class that a requirement is about."""
        for name, (requirement, sent) in zip(self._names(), self.performed, strict=True):
            bound = requirement.bound
            yield case_of(
                name,
                sent,
                title=f"{requirement.title}: {asked_text(sent.attributes)}",
                position=requirement.position,
                because=f"{requirement.because} ({requirement.source})",
                expectation=Expectation(least=bound.least, most=bound.most),
            )

    def _names(self) -> Iterator[str]:
        """The requirements' ids, each counted from 1."""
        counted: dict[str, int] = {}
        for requirement, _ in self.performed:
            counted[requirement.id] = counted.get(requirement.id, 0) + 1
            yield f"{requirement.id}-{counted[requirement.id]:03}"

    def records(self) -> Iterator[dict[str, Any]]:
        """The requirements as the report tells of them, with the ids of their proofs."""
        names = list(zip(self._names(), self.performed, strict=True))
        for result in self.checked:
            mine = [f"{self.suite}::{name}" for name, (requirement, _) in names if requirement is result.requirement]
            yield {"file": self.suite, **to_data(result), "proofs": mine}


def require(policy: Policy, file: RequirementsFile, suite: str, served: Served) -> Required:
    """Hold ``policy`` against the requirements of a file."""
    checked = tuple(check_requirement(policy, requirement, served) for requirement in file.requirements)
    performed = (
        (requirement, sent)
        for requirement in file.requirements
        for sent, _ in required_steps(policy, requirement, served)
    )
    return Required(file, suite, checked, tuple(performed))
