"""Reading results.json back: of this version of the format, whoever wrote it."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from auditproof.errors import AuditproofError
from auditproof.report.results import API_VERSION, KIND

if TYPE_CHECKING:
    from pathlib import Path

_LATER: dict[str, Any] = {
    "sabotage": False,
    "ended": "",
    "notPerformed": [],
    "started": "",
    "finished": "",
    "auditproof": "",
}
_OF_PROOF: dict[str, Any] = {
    "title": "", "suite": "", "line": 0, "because": "", "claim": None, "events": [], "fence": "", "seconds": 0.0,
    "explanation": {"effect": "", "earlier": [], "shadowed": []},
}  # fmt: skip


def read_results(path: Path) -> dict[str, Any]:
    """A ConformanceReport; what is optional in results.schema.json and absent is filled in.

    Raises AuditproofError where the file cannot be read, is no results.json, or is of another version of the format.
    """
    report = _parsed(path)
    said = report.get("apiVersion"), report.get("kind")
    if said != (API_VERSION, KIND):
        expected = f"expected are apiVersion {API_VERSION} and kind {KIND}"
        raise AuditproofError(f"{path}: this is apiVersion {said[0]} and kind {said[1]}; {expected}")
    wrong = best_match(Draft202012Validator(_schema()).iter_errors(report))
    if wrong is not None:
        raise AuditproofError(f"{path}: {wrong.json_path}: {wrong.message[:200]}")
    return _LATER | report | {"proofs": [{**_OF_PROOF, "policy": report["policy"], **p} for p in report["proofs"]]}


def _parsed(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AuditproofError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise AuditproofError(f"{path}: this is not JSON: {error}") from None
    if not isinstance(report, dict):
        raise AuditproofError(f"{path}: a results.json is a JSON object, this is a {type(report).__name__}")
    return report


def _schema() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("results.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
