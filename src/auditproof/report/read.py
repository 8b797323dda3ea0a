"""Reading results.json back: of this version of the format, whoever wrote it."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from auditproof.errors import AuditproofError
from auditproof.report.document import API_VERSION, KIND

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
_OF_POLICY: dict[str, Any] = {"text": "", "ruleLines": [], "warnings": []}
_OF_PROOF: dict[str, Any] = {
    "title": "", "suite": "", "line": 0, "because": "", "claim": None, "events": [], "fence": "", "seconds": 0.0,
    "explanation": {"effect": "", "earlier": [], "shadowed": []},
}  # fmt: skip
_VERDICTS = {"proven": "PROVEN", "violated": "VIOLATED", "unproven": "UNPROVEN", "notSupported": "NOT_SUPPORTED"}


def read_results(path: Path) -> dict[str, Any]:
    """A ConformanceReport; what is optional in results.schema.json and absent is filled in.

    Raises AuditproofError where the file cannot be read, is no results.json, is of another version of the format, or
    does not add up.
    """
    report = _parsed(path)
    said = report.get("apiVersion"), report.get("kind")
    if said != (API_VERSION, KIND):
        expected = f"expected are apiVersion {API_VERSION} and kind {KIND}"
        raise AuditproofError(f"{path}: this is apiVersion {said[0]} and kind {said[1]}; {expected}")
    wrong = best_match(_validator().iter_errors(report))
    if wrong is not None:
        raise AuditproofError(f"{path}: {wrong.json_path}: {wrong.message[:200]}")
    proofs = [{**_OF_PROOF, "policy": report["policy"], **proof} for proof in report["proofs"]]
    for proof in proofs:
        proof["observed"] = {"status": 0, **proof["observed"]}
        proof["expected"] = {"stages": [], "source": "policy", **proof["expected"]}
    read = _LATER | report | {"policy": _OF_POLICY | report["policy"], "proofs": proofs}
    _check_sums(path, read)
    return read


def _check_sums(path: Path, report: dict[str, Any]) -> None:
    """Whether the counts are those of the proofs: who trusts a report reads no further than these."""
    verdicts = Counter(proof["verdict"] for proof in report["proofs"])
    verdicts["UNPROVEN"] += len(report["notPerformed"])
    found = {key: verdicts[verdict] for key, verdict in _VERDICTS.items()} | {"planned": verdicts.total()}
    wrong = [f"{report['summary'][key]} {key}" for key in found if report["summary"][key] != found[key]]
    if wrong:
        told = ", ".join(f"{found[text.partition(' ')[2]]}" for text in wrong)
        raise AuditproofError(f"{path}: $.summary: it says {', '.join(wrong)}, the proofs come to {told}")
    if len({proof["id"] for proof in report["proofs"]}) != len(report["proofs"]):
        raise AuditproofError(f"{path}: $.proofs: some have the same id: every proof needs one of its own")


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


@cache
def _validator() -> Draft202012Validator:
    text = resources.files(__package__).joinpath("results.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))
