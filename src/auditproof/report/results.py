"""results.json: everything that a run has shown, for machines (results.schema.json describes it)."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditproof import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

API_VERSION = "auditproof/v1"
KIND = "ConformanceReport"


def conformance_report(
    proofs: Sequence[Mapping[str, Any]],
    *,
    policy: Mapping[str, Any],
    cluster: Mapping[str, Any],
    planned: Sequence[str],
    started: datetime,
    finished: datetime,
) -> dict[str, Any]:
    """The report of a run.

    ``proofs`` are records (see records.proof_record), ``planned`` the ids of all that was to be proven. What was
    planned and has no record was not performed, and is unproven: planned = proven + violated + unproven + notSupported.
    """
    done = {proof["id"] for proof in proofs}
    missing = [proof_id for proof_id in planned if proof_id not in done]
    verdicts = Counter(proof["verdict"] for proof in proofs)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "auditproof": __version__,
        "started": started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"),
        "policy": dict(policy),
        "cluster": dict(cluster),
        "summary": {
            "planned": len(done) + len(missing),
            "performed": sum(1 for proof in proofs if proof["auditID"]),
            "proven": verdicts["PROVEN"],
            "violated": verdicts["VIOLATED"],
            "unproven": verdicts["UNPROVEN"] + len(missing),
            "notSupported": verdicts["NOT_SUPPORTED"],
        },
        "notPerformed": missing,
        "proofs": sorted(proofs, key=lambda proof: str(proof["id"])),
    }


def write_results(path: Path, report: Mapping[str, Any]) -> None:
    """Write the report whole or not at all; every proof is a line of its own."""
    head = json.dumps({**report, "proofs": []}, indent=1, ensure_ascii=False)
    proofs = ",\n  ".join(json.dumps(proof, ensure_ascii=False) for proof in report["proofs"])
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(head.removesuffix("[]\n}") + f"[\n  {proofs}\n ]\n}}\n")
    Path(name).chmod(0o644)
    Path(name).replace(path)
