"""results.json: everything that a run has shown, for machines (results.schema.json describes it)."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from auditproof import __version__
from auditproof.audit.redact import redact_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

API_VERSION = "auditproof/v1"
KIND = "ConformanceReport"


def conformance_report(
    proofs: Sequence[Mapping[str, Any]],
    *,
    policy: Mapping[str, Any],
    cluster: Mapping[str, Any],
    run: Mapping[str, Any] = MappingProxyType({}),
    planned: Sequence[str],
    started: datetime,
    finished: datetime,
    sabotage: bool = False,
    parts: Mapping[str, Any] = MappingProxyType({}),
    ended: str = "",
    deselected: int = 0,
) -> dict[str, Any]:
    """The report of a run: plain data, by results.schema.json.

    ``proofs`` are records (see records.proof_record), one an id; ``planned`` the ids of all that was to be proven.
    What was planned and has no record was not performed, and is unproven: so planned = proven + violated + unproven +
    notSupported, always. ``started`` and ``finished`` know their time zone. ``run`` says who made it
    (see provenance.run_record), ``ended`` how it ended before its end, ``deselected`` how much was left out
    by -k, -m and the like. ``sabotage``: the servers ran policies broken on purpose.
    ``parts`` are the keys that are there only where a run was asked for them: coverage, change, requirements,
    lint. Raises ValueError where two proofs have the same id, because then nothing would add up.
    """
    done = {proof["id"] for proof in proofs}
    missing = [proof_id for proof_id in planned if proof_id not in done]
    if len(done) != len(proofs):
        raise ValueError(f"{len(proofs)} proofs have {len(done)} ids: every proof needs an id of its own")
    verdicts = Counter(proof["verdict"] for proof in proofs)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "auditproof": __version__,
        "started": _utc(started),
        "finished": _utc(finished),
        "ended": ended,
        "sabotage": sabotage,
        "policy": dict(policy),
        "cluster": dict(cluster),
        **({"run": dict(run)} if run else {}),
        "summary": {
            "planned": len(done) + len(missing),
            "performed": sum(1 for proof in proofs if proof["auditID"]),
            "proven": verdicts["PROVEN"],
            "violated": verdicts["VIOLATED"],
            "unproven": verdicts["UNPROVEN"] + len(missing),
            "notSupported": verdicts["NOT_SUPPORTED"],
        },
        **({"deselected": deselected} if deselected else {}),
        **parts,
        "notPerformed": missing,
        "proofs": sorted(map(_without_secrets, proofs), key=lambda proof: str(proof["id"])),
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _without_secrets(proof: Mapping[str, Any]) -> dict[str, Any]:
    """The last gate: a URI or a failed assertion may hold a token (events are redacted where they are recorded)."""
    request = {**proof["request"], "path": redact_text(proof["request"]["path"])}
    return {**proof, "request": request, "reasons": [redact_text(reason) for reason in proof["reasons"]]}


def write_results(path: Path, report: Mapping[str, Any]) -> None:
    """Write the report to ``path``, whole or not at all. Raises OSError where the folder cannot be written to."""
    replace_file(path, results_text(report))


def results_text(report: Mapping[str, Any]) -> str:
    """The report as JSON; every proof is a line of its own."""
    head = json.dumps({**report, "proofs": []}, indent=1, ensure_ascii=False)
    proofs = ",\n  ".join(json.dumps(proof, ensure_ascii=False) for proof in report["proofs"])
    return head.removesuffix("[]\n}") + f"[\n  {proofs}\n ]\n}}\n"


def replace_file(path: Path, text: str) -> None:
    """Put ``text`` (UTF-8) in the place of a file; a reader sees the old one or the new one, never a part.

    What UTF-8 cannot say (half a surrogate pair, as in an undecodable file name) becomes a question mark.
    Raises OSError where the folder cannot be written to.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
