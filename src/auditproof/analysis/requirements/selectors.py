"""Reads selectors, the conditions by which a file names requests, and reports every mistake with line and column."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof.analysis.requirements.schema import SelectorModel
from auditproof.analysis.space.cells import PATH_VERBS, RESOURCE_VERBS
from auditproof.audit.policy.load import GroupResources, selector
from auditproof.errors import AuditproofError, Problem
from auditproof.kube.controllers import CONTROLLERS, acting_users
from auditproof.kube.discovery import load_served, minors
from auditproof.kube.yaml.yaml_text import parse_yaml
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditproof.audit.policy.load import PolicyRule
    from auditproof.kube.yaml.yaml_text import Node

Where = tuple[str | int, ...]


def selector_of(texts: Sequence[str], option: str) -> PolicyRule:
    """A selector of resources given on the command line, as ``resource[.group][/subresource]``; * for all of them.

    Raises AuditproofError, which names the ``option``, for a resource that no supported version serves.
    """
    reader = SelectorReader(parse_yaml(json.dumps({"resources": list(texts)}).encode(), option))
    rule = reader._selector((), SelectorModel(resources=list(texts)))
    if reader.problems:
        raise AuditproofError(f"{option}: {'; '.join(problem.message for problem in reader.problems)}")
    return rule


@dataclass(slots=True)
class SelectorReader:
    """Reads the selectors of the file with the tree ``root``; collects ``problems`` and continues."""

    root: Node
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, where: Where, message: str) -> None:
        """Note a problem at a place of the file."""
        self.problems.append(Problem(self.root.at(where).position, message))

    def selectors(self, where: Where, models: Iterable[SelectorModel]) -> tuple[PolicyRule, ...]:
        """The selectors at ``where``, as rules of which only the conditions count."""
        return tuple(self._selector((*where, n), model) for n, model in enumerate(models))

    def _selector(self, where: Where, model: SelectorModel) -> PolicyRule:
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
        users = (*model.users, *self._acting(where, model))
        position = self.root.at(where).position
        entries = [self._resources((*where, "resources", n), text) for n, text in enumerate(model.resources)]
        return selector(
            users=users,
            user_groups=tuple(model.user_groups),
            verbs=tuple(model.verbs),
            resources=tuple(
                GroupResources(group, names, tuple(model.resource_names) if names else (), position)
                for group, names in entries
            ),
            namespaces=tuple(model.namespaces),
            non_resource_urls=tuple(model.non_resource_urls),
            position=position,
        )

    def _acting(self, where: Where, model: SelectorModel) -> tuple[str, ...]:
        """The users of the controllers that ``through`` names."""
        found: dict[str, None] = {}
        for n, owner in enumerate(model.through):
            if owner not in CONTROLLERS:
                message = f'no controller acts for "{owner}"{did_you_mean(owner, CONTROLLERS)}'
                self.wrong((*where, "through", n), f"{message} (known: {', '.join(CONTROLLERS)})")
            elif users := acting_users(owner, model.resources, model.verbs):
                found.update(dict.fromkeys(users))
            else:
                message = f"no controller sends these requests for {owner}: it changes"
                does = "; ".join(f"{', '.join(a.resources)} ({', '.join(a.verbs)})" for a in CONTROLLERS[owner])
                self.wrong((*where, "through", n), f"{message} {does}")
        return tuple(found)

    def _resources(self, where: Where, text: str) -> tuple[str, tuple[str, ...]]:
        """API group and patterns from ``resource[.group][/subresource]``; no pattern means the whole group."""
        full, _, part = text.partition("/")
        resource, dot, group = full.partition(".")
        if resource == "*":
            return group if dot else "*", (f"*/{part}",) if part else ()
        found = sorted({group for group, name, _ in _known() if name == resource})
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
