"""Reads requirements files and reports every problem with line and column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof import content
from auditproof.analysis.requirements.requirement import Bound, Requirement, RequirementsFile
from auditproof.analysis.requirements.schema import RequirementsModel
from auditproof.analysis.space.cells import PATH_VERBS, RESOURCE_VERBS
from auditproof.audit.event import Level
from auditproof.audit.policy.load import GroupResources, PolicyRule
from auditproof.errors import AuditproofError, Problem, SourceError
from auditproof.kube.discovery import load_served, minors
from auditproof.kube.yaml.strict_model import read_model
from auditproof.text.paths import is_file, path_of
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from auditproof.analysis.requirements.schema import LevelModel, RequirementModel, SelectorModel
    from auditproof.kube.yaml.yaml_text import Node

Where = tuple[str | int, ...]
SUFFIX = ".yaml"
SHIPPED = content.root() / "suites" / "requirements"


def shipped(folder: Path) -> dict[str, Path]:
    """The requirements files of a folder, by name."""
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def load_requirements(name: str, folder: Path = SHIPPED) -> RequirementsFile:
    """Read a requirements file: ``name`` is a path, or the name of a file in ``folder`` without ``.yaml``.

    Raises SourceError, which lists all problems of the file, and AuditproofError if there is no such file.

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
    reading = _Reading(path, root)
    loaded = reading.file(model, name)
    if reading.problems:
        raise SourceError(sorted(reading.problems, key=lambda problem: problem.position))
    return loaded


@dataclass(slots=True)
class _Reading:
    """Reads one file; collects problems and continues, so that all are reported at once."""

    path: Path
    root: Node
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, where: Where, message: str) -> None:
        self.problems.append(Problem(self.root.at(where).position, message))

    def file(self, model: RequirementsModel, name: str) -> RequirementsFile:
        common = self.selectors(("except",), model.except_)
        ids = [requirement.id for requirement in model.requirements]
        for n, known in enumerate(ids):
            if known in ids[:n]:
                first = self.root.at(("requirements", ids.index(known), "id")).position
                self.wrong(("requirements", n, "id"), f'the id "{known}" is taken already, in line {first.line}')
        requirements = tuple(self.requirement(n, some, common) for n, some in enumerate(model.requirements))
        return RequirementsFile(self.path, name, model.title, requirements)

    def requirement(self, n: int, model: RequirementModel, common: tuple[PolicyRule, ...]) -> Requirement:
        where: Where = ("requirements", n)
        selected = self.selectors((*where, "for"), model.for_)
        failed = [selector.failed_logins for selector in model.for_]
        for m, selector in enumerate(model.for_):
            if selector.failed_logins and (selector.users or selector.user_groups):
                self.wrong(
                    (*where, "for", m, "failedLogins"),
                    "a failed login has neither user nor groups: remove users and userGroups",
                )
        for m, selector in enumerate(model.except_):
            if selector.failed_logins:
                self.wrong(
                    (*where, "except", m, "failedLogins"),
                    "failed logins are covered only if for: selects them, so remove this",
                )
        return Requirement(
            id=model.id,
            title=model.title,
            selected=tuple(rule for rule, of_failed in zip(selected, failed, strict=True) if not of_failed),
            failed=tuple(rule for rule, of_failed in zip(selected, failed, strict=True) if of_failed),
            excepted=(*common, *self.selectors((*where, "except"), model.except_)),
            bound=self.bound((*where, "level"), model.level),
            because=" ".join(model.because.split()),
            source=" ".join(model.source.split()),
            position=self.root.at(where).position,
        )

    def bound(self, where: Where, model: LevelModel) -> Bound:
        given = {"atLeast": model.at_least, "atMost": model.at_most, "exactly": model.exactly}
        named = {key: Level(level) for key, level in given.items() if level is not None}
        if len(named) != 1:
            found = f"both {' and '.join(named)}" if named else "none of them"
            self.wrong(where, f"a level is exactly one of atLeast, atMost and exactly; here is {found}")
            return Bound(Level.NONE, Level.REQUEST_RESPONSE)
        ((key, level),) = named.items()
        return Bound(Level.NONE if key == "atMost" else level, Level.REQUEST_RESPONSE if key == "atLeast" else level)

    def selectors(self, where: Where, models: Iterable[SelectorModel]) -> tuple[PolicyRule, ...]:
        return tuple(self.selector((*where, n), model) for n, model in enumerate(models))

    def selector(self, where: Where, model: SelectorModel) -> PolicyRule:
        if model.non_resource_urls and (model.resources or model.namespaces):
            self.wrong(
                (*where, "nonResourceURLs"), "a path has no resource or namespace: put it in a separate selector"
            )
        if model.resource_names and not model.resources:
            self.wrong((*where, "resourceNames"), "resourceNames needs resources in the same selector")
        known = PATH_VERBS if model.non_resource_urls else RESOURCE_VERBS
        for n, verb in enumerate(model.verbs):
            if verb not in known:
                message = (
                    "no ordinary request for a path has" if model.non_resource_urls else "no request for a resource has"
                )
                self.wrong((*where, "verbs", n), f'{message} the verb "{verb}"{did_you_mean(verb, known)}')
        position = self.root.at(where).position
        entries = [self.resources((*where, "resources", n), text) for n, text in enumerate(model.resources)]
        return PolicyRule(
            index=0,
            level=Level.NONE,
            users=tuple(model.users),
            user_groups=tuple(model.user_groups),
            verbs=tuple(model.verbs),
            resources=tuple(
                GroupResources(group, names, tuple(model.resource_names) if names else (), position)
                for group, names in entries
            ),
            namespaces=tuple(model.namespaces),
            non_resource_urls=tuple(model.non_resource_urls),
            omit_stages=frozenset(),
            omit_managed_fields=None,
            position=position,
        )

    def resources(self, where: Where, text: str) -> tuple[str, tuple[str, ...]]:
        """API group and patterns from ``resource[.group][/subresource]``; no pattern means the whole group."""
        full, _, part = text.partition("/")
        resource, dot, group = full.partition(".")
        if resource == "*":
            return group if dot else "*", (f"*/{part}",) if part else ()
        found = _groups_of(resource)
        if not dot:
            if not found:
                known = sorted({name for _, name, _ in _known()})
                meant = did_you_mean(resource, known)
                self.wrong(where, f'"{resource}" is no built-in resource{meant} (a custom one is plural.group)')
            group = "" if "" in found or not found else found[0]
        parts = {sub for known_group, name, sub in _known() if (known_group, name) == (group, resource)}
        if part not in ("", "*") and parts and part not in parts:
            self.wrong(where, f'{full} has no subresource "{part}"{did_you_mean(part, sorted(parts - {""}))}')
        return group, (f"{resource}/{part}" if part else resource,)


def _known() -> set[tuple[str, str, str]]:
    """Group, resource and subresource of everything that any supported version serves."""
    return {(e.group, e.resource, e.subresource) for minor in minors() for e in load_served(minor).resources}


def _groups_of(resource: str) -> list[str]:
    return sorted({group for group, name, _ in _known() if name == resource})
