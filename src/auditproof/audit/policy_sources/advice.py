"""What helps with a file that is no audit policy, and has none inside that can be read: how to get at the policy."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from auditproof.audit.policy_sources.documents import child, documents, text_at, text_of
from auditproof.audit.policy_sources.find import WORTH, embedded
from auditproof.audit.policy_sources.named_paths import named_paths
from auditproof.errors import PolicyRefused, Position, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.audit.policy.place import Place
    from auditproof.kube.yaml.yaml_text import Node


@dataclass(frozen=True, slots=True)
class Template:
    """A language of templates: what shows it, in text or name of a file, and how it is rendered."""

    name: str
    sign: re.Pattern[str]
    suffixes: tuple[str, ...]
    render: str


# The first one that is found counts: the signs of the earlier ones are the more certain.
TEMPLATES = (
    Template(
        "Helm",
        re.compile(r"\{\{-?\s*(?:/\*|\$|\(?\.[A-Z]|(?:if|range|with|include|template|define|toYaml|tpl|end)\b)"),
        (".tpl", ".gotmpl", ".tmpl"),
        "helm template CHART --show-only templates/{name} | auditproof lint -",
    ),
    Template(
        "Jinja",
        re.compile(r"\{%[-+]?\s*\w|\{\{\s*\w[^{}]*\}\}|\{#"),
        (".j2", ".jinja", ".jinja2"),
        "jinja2 {name} VALUES.yaml | auditproof lint -, or Ansible's module template and the file that it writes",
    ),
    Template(
        "Terraform",
        re.compile(r"%\{\s*(?:if|for|endif|endfor)\b|\$\{(?:var|local|each|module|data)\.|\$\{[a-z]\w*\([^}]*\)\}"),
        (".tftpl",),
        'terraform output -raw NAME | auditproof lint -, with an output that is templatefile("{name}", {{...}})',
    ),
    Template("envsubst", re.compile(r"\$\{?[A-Z][A-Z0-9_]*\}?"), (), "envsubst < {name} | auditproof lint -"),
)
OPENSHIFT_PROFILES = {
    "Default": "metadata of all requests, and no bodies but those of requests for OAuth access tokens",
    "WriteRequestBodies": "as Default, and the request bodies of all writes",
    "AllRequestBodies": "as Default, and the request bodies of all reads and writes",
    "None": "nothing at all; customRules are ignored",
}


def template_of(text: str, path: str) -> Template | None:
    """The language of templates that a text is written in, if it is in one."""
    name = PurePosixPath(path.partition("#")[0]).name
    by_name = [one for one in TEMPLATES if name.endswith(one.suffixes)]
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    by_text = [one for one in TEMPLATES if any(map(one.sign.search, lines))]
    named = [one for one in by_name if one in by_text] or by_text or by_name
    return named[0] if named else None


def with_advice(error: PolicyRefused, data: bytes, place: Place) -> PolicyRefused:
    """The refusal of a text with what helps, as a problem before the others; what the server says stays the same."""
    text = text_of(data)
    if text is None:
        return error
    path = place.name
    advice = _openshift(text, path) or _shoot(text, path) or _later(data, path) or _named(data, path)
    # The more specific advice first: a template may still name what it is about.
    found = advice or _template(text, path)
    if found is None:
        return error
    return PolicyRefused([replace(found, position=place.of(found.position)), *error.problems], error.server_message)


def _later(data: bytes, path: str) -> Problem | None:
    """A policy in a document that is not the first, which is the only one that an API server reads."""
    for one in embedded(data, path):
        if one.is_bare:
            say = f"document {one.name} is a policy, but of several documents an API server reads the first one only"
            return Problem(one.place.holder, f"{say}: give it as {one.place.name}, or as a file of its own")
    return None


def _named(data: bytes, path: str) -> Problem | None:
    """A policy that is named by a path."""
    for one in named_paths(data, path):
        by = f", which is mounted from {one.host}" if one.host != one.path else ""
        missing = " or ".join(dict.fromkeys(PurePosixPath(name).name for name in one.neighbours))
        say = f"the policy is the file {one.path}{by}; no {missing} is next to this file: give the policy file itself"
        return Problem(one.position, say)
    return None


def _template(text: str, path: str) -> Problem | None:
    template = template_of(text, path)
    if template is None:
        return None
    line = next((n for n, line in enumerate(text.splitlines(), 1) if template.sign.search(line)), 1)
    name = PurePosixPath(path.partition("#")[0]).name
    say = (
        f"this looks like a template ({template.name}): an API server gets what it renders to. Render it and give the "
        f"result: {template.render.format(name=name)}"
    )
    return Problem(Position(path, line, 1), say)


def _openshift(text: str, path: str) -> Problem | None:
    """APIServer of config.openshift.io: profiles, of which OpenShift makes the policy itself."""
    for root in _roots(text, path, "APIServer", "config.openshift.io/"):
        audit = child(root, "spec", "audit")
        profile = text_at(root, "spec", "audit", "profile") or "Default"
        means = OPENSHIFT_PROFILES.get(profile, "a profile that is not known here")
        rules = child(root, "spec", "audit", "customRules")
        custom = [
            f"; {text_at(rule, 'group')}: {text_at(rule, 'profile')}"
            for rule in (rules.value if rules is not None and isinstance(rules.value, tuple) else ())
        ]
        say = (
            f"this names a profile of OpenShift and is not a policy: {profile} records {means}{''.join(custom)}. The "
            "policy that OpenShift makes of it is in a ConfigMap: oc get configmap -n openshift-kube-apiserver "
            "kube-apiserver-audit-policies -o yaml | auditproof lint -"
        )
        return Problem((audit or root).position, say)
    return None


def _shoot(text: str, path: str) -> Problem | None:
    """Gardener's Shoot, which names a ConfigMap."""
    where = ("spec", "kubernetes", "kubeAPIServer", "auditConfig", "auditPolicy", "configMapRef")
    for root in _roots(text, path, "Shoot", "core.gardener.cloud/"):
        if name := text_at(root, *where, "name"):
            namespace = text_at(root, "metadata", "namespace") or "garden-PROJECT"
            say = (
                f"the policy is in the ConfigMap {name} that this Shoot names: "
                f"kubectl get configmap -n {namespace} {name} -o yaml | auditproof lint -"
            )
            found = child(root, *where)
            return Problem((found or root).position, say)
    return None


def _roots(text: str, path: str, kind: str, group: str) -> Iterator[Node]:
    for document in documents(text, path, worth=WORTH):
        root = document.root
        if text_at(root, "kind") == kind and text_at(root, "apiVersion").startswith(group):
            yield root
