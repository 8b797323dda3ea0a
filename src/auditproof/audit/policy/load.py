"""Loads an audit policy as kube-apiserver does (audit.k8s.io/v1), each value with its position in the file."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.decode import decode
from auditproof.audit.policy.place import Place
from auditproof.audit.policy.validate import validate
from auditproof.errors import PolicyRefused, Position, Problem, SourceError
from auditproof.kube.versions import DEFAULT_VERSION, version_of
from auditproof.text.invisible import invisible_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.audit.policy.decode import RawRule
    from auditproof.kube.yaml.yaml_text import Node


@dataclass(frozen=True, slots=True)
class GroupResources:
    """Resources of one API group; "" is the core group and, since Kubernetes 1.36, "*" is every group."""

    group: str
    resources: tuple[str, ...]
    resource_names: tuple[str, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule; ``index`` counts from 0, and an empty tuple means no condition.

    ``omit_managed_fields`` None means that the policy's own applies. Source: PolicyRule in
    staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go.

    >>> from auditproof import load_policy
    >>> rule = load_policy("fixtures/policies/baseline.yaml").rules[0]
    >>> rule.level, rule.resources[0].resources, rule.position.line
    (<Level.METADATA: 'Metadata'>, ('secrets', 'configmaps', 'serviceaccounts/token'), 19)
    """

    index: int
    level: Level
    users: tuple[str, ...]
    user_groups: tuple[str, ...]
    verbs: tuple[str, ...]
    resources: tuple[GroupResources, ...]
    namespaces: tuple[str, ...]
    non_resource_urls: tuple[str, ...]
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool | None
    position: Position


NOWHERE = Position("", 1, 1)  # of a rule that no file has


def selector(
    *,
    users: tuple[str, ...] = (),
    user_groups: tuple[str, ...] = (),
    verbs: tuple[str, ...] = (),
    resources: tuple[GroupResources, ...] = (),
    namespaces: tuple[str, ...] = (),
    non_resource_urls: tuple[str, ...] = (),
    position: Position = NOWHERE,
) -> PolicyRule:
    """A rule of which only the conditions count: it selects requests of a space, and decides about none."""
    return PolicyRule(
        index=0,
        level=Level.NONE,
        users=users,
        user_groups=user_groups,
        verbs=verbs,
        resources=resources,
        namespaces=namespaces,
        non_resource_urls=non_resource_urls,
        omit_stages=frozenset(),
        omit_managed_fields=None,
        position=position,
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that the API server accepts; ``warnings`` are what it would only log (misspelt or duplicate keys).

    ``text`` and ``sha256`` are of what the API server is given; positions are those in the file that ``place`` names.

    >>> from auditproof import load_policy
    >>> policy = load_policy("fixtures/policies/baseline.yaml")
    >>> len(policy.rules), [str(stage) for stage in policy.omit_stages], policy.warnings
    (10, ['RequestReceived'], ())
    """

    rules: tuple[PolicyRule, ...]
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool
    path: str
    sha256: str
    text: str
    warnings: tuple[Problem, ...]
    place: Place

    def rule_at(self, index: int | None) -> PolicyRule | None:
        """The rule with an index; None for None, which means that no rule matches."""
        return None if index is None else self.rules[index]


def load_policy(
    path: str | Path,
    *,
    kubernetes: str = DEFAULT_VERSION,
    name: str = "",
    read: Callable[[Path], bytes] = Path.read_bytes,
) -> Policy:
    """Read a policy file as the kube-apiserver of version ``kubernetes`` reads it.

    ``name`` is what messages and reports call the file instead of its path; ``read`` returns its bytes. Raises
    SourceError if the file cannot be read, and PolicyRefused, which lists every problem, if the server would not start
    with it. Source: LoadPolicyFromFile in staging/src/k8s.io/apiserver/pkg/audit/policy/reader.go.

    >>> from auditproof import load_policy
    >>> load_policy("fixtures/policies/baseline.yaml").rules[0].position.line
    19
    """
    try:
        data = read(Path(path))
    except OSError as error:
        where = Position(name or str(path), 1, 1)
        raise SourceError([Problem(where, f"the policy cannot be read: {error.strerror}")]) from None
    return parse_policy(data, name or str(path), kubernetes=kubernetes)


def parse_policy(data: bytes, path: str | Place, *, kubernetes: str = DEFAULT_VERSION) -> Policy:
    """Read a policy from the bytes of a file; ``path`` is what messages call it.

    A Place instead says where in another document the bytes were found; positions are then those of that document.

    Raises PolicyRefused, as load_policy does.

    >>> from auditproof import PolicyRefused, parse_policy
    >>> text = b'{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "metadata"}]}'
    >>> try:
    ...     parse_policy(text, "policy.json")
    ... except PolicyRefused as error:
    ...     print(error.problems[0].position)
    policy.json:1:73
    """
    place = Place.file(path) if isinstance(path, str) else path
    try:
        return _placed(_parse(data, place, kubernetes))
    except PolicyRefused as error:
        # At the problem's place in the file; a character that only looks like a space may well be its cause.
        lines = data.decode(_encoding(data), errors="replace").split("\n")
        seen = []
        for problem in error.problems:
            number, message = problem.position.line, problem.message
            hidden = invisible_in(lines[number - 1]) if number <= len(lines) else None
            if hidden and hidden[1] not in message:
                message += f" (column {place.at(number, hidden[0]).column} of this line is {hidden[1]})"
            seen.append(Problem(place.of(problem.position), message))
        raise PolicyRefused(seen, error.server_message) from None


def _parse(data: bytes, place: Place, kubernetes: str) -> Policy:
    """The policy with positions in ``data``."""
    path = place.name
    raw = decode(data, path)
    findings = validate(raw, any_group=version_of(kubernetes) >= (1, 36))
    if raw.problems:
        # A value of the wrong type counts as absent in validation: what that finds at the same place says nothing new.
        taken = {problem.position for problem in raw.problems}
        others = [problem for problem, _ in findings if problem.position not in taken]
        problems = sorted([*raw.problems, *others], key=lambda problem: problem.position)
        raise PolicyRefused([*problems, *raw.warnings], raw.server_message)
    if findings:
        # As Aggregate.Error joins them (apimachinery pkg/util/errors/errors.go).
        messages = list(dict.fromkeys(message for _, message in findings))
        text = messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"
        raise PolicyRefused([*(problem for problem, _ in findings), *raw.warnings], text)
    if not raw.rules:
        problem = Problem(raw.node.at(("rules",)).position, "a policy needs at least one rule")
        raise PolicyRefused([problem, *raw.warnings], "loaded illegal policy with 0 rules")
    return Policy(
        rules=tuple(_rule(n, rule) for n, rule in enumerate(raw.rules)),
        omit_stages=frozenset(Stage(text) for text in _texts(raw.omit_stages)),
        omit_managed_fields=raw.omit_managed_fields,
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        text=data.decode(_encoding(data), errors="replace"),
        warnings=raw.warnings,
        place=place,
    )


def _placed(policy: Policy) -> Policy:
    """The policy with positions in the file that holds its text."""
    of = policy.place.of
    rules = []
    for rule in policy.rules:
        resources = tuple(replace(entry, position=of(entry.position)) for entry in rule.resources)
        rules.append(replace(rule, position=of(rule.position), resources=resources))
    warnings = tuple(replace(warning, position=of(warning.position)) for warning in policy.warnings)
    return replace(policy, rules=tuple(rules), warnings=warnings)


def _encoding(data: bytes) -> str:
    """The encoding of a YAML file: UTF-16 if it begins with such a byte order mark, else UTF-8."""
    return "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _texts(nodes: tuple[Node, ...]) -> tuple[str, ...]:
    return tuple(str(node.value) for node in nodes)


def _rule(index: int, raw: RawRule) -> PolicyRule:
    return PolicyRule(
        index=index,
        level=Level(raw.level),
        users=_texts(raw.users),
        user_groups=_texts(raw.user_groups),
        verbs=_texts(raw.verbs),
        resources=tuple(
            GroupResources(entry.group, _texts(entry.resources), _texts(entry.resource_names), entry.node.position)
            for entry in raw.resources
        ),
        namespaces=_texts(raw.namespaces),
        non_resource_urls=_texts(raw.non_resource_urls),
        omit_stages=frozenset(Stage(text) for text in _texts(raw.omit_stages)),
        omit_managed_fields=raw.omit_managed_fields,
        position=raw.node.position,
    )
