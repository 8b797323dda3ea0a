"""Reads requirements files and reports every problem with line and column."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from auditproof import content
from auditproof.analysis.requirements.requirement import (
    Bound,
    Clause,
    Reference,
    Requirement,
    RequirementsFile,
    StageBound,
)
from auditproof.analysis.requirements.schema import ReferenceModel, RequirementsModel
from auditproof.analysis.requirements.selectors import SelectorReader
from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.load import Policy, load_policy
from auditproof.errors import AuditproofError, SourceError
from auditproof.kube.yaml.strict_model import read_model
from auditproof.text.paths import is_file, path_of
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.analysis.requirements.schema import LevelModel, RequirementModel, StagesModel
    from auditproof.analysis.requirements.selectors import Where
    from auditproof.audit.policy.load import PolicyRule

SUFFIX = ".yaml"
SHIPPED = content.root() / "suites" / "requirements"


def shipped(folder: Path) -> dict[str, Path]:
    """The requirements files of a folder, by name."""
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def load_requirements(
    name: str, folder: Path = SHIPPED, read_policy: Callable[[str], Policy] = load_policy
) -> RequirementsFile:
    """Read a requirements file: ``name`` is a path, or the name of a file in ``folder`` without ``.yaml``.

    ``read_policy`` reads a policy that a requirement refers to. Raises SourceError, which lists all problems of the
    file, also those of such a policy, and AuditproofError if there is no such file.

    >>> from auditproof import load_requirements
    >>> [requirement.id for requirement in load_requirements("cis").requirements][:2]
    ['cis-3-2-1', 'cis-3-2-2-secrets']
    """
    known = shipped(folder)
    path = known.get(name) or path_of(name)
    if name not in known and not is_file(path):
        meant = did_you_mean(name, known, quote="")
        raise AuditproofError(f"--requirements {name}: neither a file nor one of {', '.join(known)}{meant}")
    model, root = read_model(path, RequirementsModel)
    reading = _RequirementsReader(root, folder=path.parent, read_policy=read_policy)
    loaded = reading.file(model, path, name)
    if reading.problems:
        raise SourceError(sorted(reading.problems, key=lambda problem: problem.position))
    return loaded


@cache
def shipped_with(requirement: str) -> frozenset[str]:
    """The shipped files that have a requirement of this id, by name."""
    names = shipped(SHIPPED)
    return frozenset(name for name in names if requirement in {one.id for one in load_requirements(name).requirements})


@dataclass(slots=True)
class _RequirementsReader(SelectorReader):
    """Reads one file; collects problems and continues, so that all are reported at once."""

    folder: Path = field(kw_only=True)  # of the file
    read_policy: Callable[[str], Policy] = field(kw_only=True)

    def file(self, model: RequirementsModel, path: Path, name: str) -> RequirementsFile:
        common = self.selectors(("except",), model.except_)
        ids = [requirement.id for requirement in model.requirements]
        for n, known in enumerate(ids):
            if known in ids[:n]:
                first = self.root.at(("requirements", ids.index(known), "id")).position
                self.wrong(("requirements", n, "id"), f'the id "{known}" is taken already, in line {first.line}')
        requirements = tuple(self.requirement(n, some, common) for n, some in enumerate(model.requirements))
        return RequirementsFile(path, name, model.title, requirements)

    def requirement(self, n: int, model: RequirementModel, common: tuple[PolicyRule, ...]) -> Requirement:
        where: Where = ("requirements", n)
        self.check_selectors(where, model)
        selected = [*zip(self.selectors((*where, "for"), model.for_), model.for_, strict=True)]
        excepted = (*common, *self.selectors((*where, "except"), model.except_))
        # A selector with through names its users, so an exception that names users does not take them away.
        impersonal = tuple(rule for rule in excepted if not rule.users and not rule.user_groups)
        clauses = (
            Clause(tuple(rule for rule, of in selected if not of.failed_logins and not of.through), excepted),
            Clause(tuple(rule for rule, of in selected if of.through), impersonal),
            Clause(tuple(rule for rule, of in selected if of.failed_logins), excepted, failed=True),
        )
        bound = self.bound(where, model)
        return Requirement(
            id=model.id,
            title=model.title,
            clauses=tuple(clause for clause in clauses if clause.selected),
            bound=bound,
            because=" ".join(model.because.split()),
            source=" ".join(model.source.split()),
            position=self.root.at(where).position,
        )

    def check_selectors(self, where: Where, model: RequirementModel) -> None:
        """Report selectors that contradict themselves where they are."""
        for m, selector in enumerate(model.for_):
            who = selector.users or selector.user_groups
            if selector.failed_logins and (who or selector.through):
                message = "a failed login has neither user nor groups: remove users, userGroups and through"
                self.wrong((*where, "for", m, "failedLogins"), message)
            elif selector.through and who:
                message = (
                    "through names the users itself: remove users and userGroups, or put them in a separate selector"
                )
                self.wrong((*where, "for", m, "through"), message)
        for m, selector in enumerate(model.except_):
            if selector.failed_logins:
                message = "failed logins are covered only if for: selects them, so remove this"
                self.wrong((*where, "except", m, "failedLogins"), message)

    def bound(self, where: Where, model: RequirementModel) -> Bound | Reference:
        stages = self.stages((*where, "stages"), model.stages) if model.stages else None
        levels = self.levels((*where, "level"), model.level)
        given = model.level.at_least
        if not isinstance(given, ReferenceModel):
            return Bound(levels, stages)
        if stages is not None:
            self.wrong((*where, "stages"), "the policy that level refers to says which stages are needed: remove this")
        if given.policy == "-":
            self.wrong((*where, "level", "atLeast", "policy"), "standard input is no reference: name a file")
            return Bound(levels)
        path = given.policy if given.policy.startswith("git:") else os.path.normpath(self.folder / given.policy)
        try:
            return Reference(self.read_policy(path))
        except SourceError as error:
            for problem in error.problems:
                message = f"this policy cannot be used as a reference: {problem}"
                self.wrong((*where, "level", "atLeast", "policy"), message)
            return Bound(levels)

    def levels(self, where: Where, model: LevelModel) -> frozenset[Level]:
        given = {"atLeast": model.at_least, "atMost": model.at_most, "exactly": model.exactly, "oneOf": model.one_of}
        key = self.only_key(where, "a level is", given)
        if key == "oneOf":
            return frozenset(map(Level, model.one_of))
        level = Level(given[key]) if key and isinstance(given[key], str) else Level.NONE
        least = Level.NONE if key == "atMost" else level
        return Bound.between(least, level if key in ("atMost", "exactly") else Level.REQUEST_RESPONSE).levels

    def stages(self, where: Where, model: StagesModel) -> StageBound:
        given = {"atLeast": model.at_least, "atMost": model.at_most, "exactly": model.exactly}
        key = self.only_key(where, "stages are", given)
        stages = frozenset(map(Stage, given[key] if key else ()))
        return StageBound(frozenset() if key == "atMost" else stages, frozenset(Stage) if key == "atLeast" else stages)

    def only_key(self, where: Where, what: str, given: dict[str, Any]) -> str:
        """The one key that has a value; empty, with a problem, if there is not exactly one."""
        named = [key for key, value in given.items() if value]
        if len(named) == 1:
            return named[0]
        *others, last = given
        found = f"{'both ' if len(named) == 2 else ''}{' and '.join(named)}" if named else "none of them"
        self.wrong(where, f"{what} exactly one of {', '.join(others)} and {last}; here is {found}")
        return ""
