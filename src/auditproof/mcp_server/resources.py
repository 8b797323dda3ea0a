"""What a client can read: the explanations of lint, the schema of policies, and the shipped requirements."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.lint.catalogue import CATALOGUE
from auditproof.analysis.lint.explanations import explanations
from auditproof.analysis.requirements import shipped
from auditproof.analysis.requirements.load import SHIPPED
from auditproof.audit.policy.schema import policy_schema
from auditproof.errors import AuditproofError
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEME = "auditproof://"
MARKDOWN, JSON, YAML = "text/markdown", "application/json", "application/yaml"


@dataclass(frozen=True, slots=True)
class Readable:
    """A text that a client can read, by its address."""

    uri: str
    title: str
    mime_type: str
    text: Callable[[], str]


def readables() -> dict[str, Readable]:
    """All of them, by their addresses."""
    found = [
        Readable(f"{SCHEME}lint", "All codes of lint", MARKDOWN, _codes),
        Readable(f"{SCHEME}schema/policy", "JSON Schema of an audit policy", JSON, _schema),
    ]
    found += [
        Readable(f"{SCHEME}lint/{one.code}", f"{one.code} {one.name}: {one.title}", MARKDOWN, _explains(one.code))
        for one in CATALOGUE.values()
    ]
    found += [
        Readable(f"{SCHEME}requirements/{name}", f"The shipped requirements {name}", YAML, _reads(name))
        for name in shipped(SHIPPED)
    ]
    return {one.uri: one for one in found}


def readable(uri: str) -> Readable:
    """The one of this address. Raises AuditproofError if there is none."""
    known = readables()
    if uri not in known:
        raise AuditproofError(f"there is no resource {uri}{did_you_mean(uri, known, quote='')}")
    return known[uri]


def _codes() -> str:
    rows = "".join(f"| {one.code} | {one.name} | {one.severity} | {one.title} |\n" for one in CATALOGUE.values())
    return f"| code | name | severity | meaning |\n| --- | --- | --- | --- |\n{rows}"


def _schema() -> str:
    return json.dumps(policy_schema(), indent=1, ensure_ascii=False) + "\n"


def _explains(code: str) -> Callable[[], str]:
    return lambda: explanations()[code].markdown


def _reads(name: str) -> Callable[[], str]:
    return lambda: shipped(SHIPPED)[name].read_text(encoding="utf-8")
