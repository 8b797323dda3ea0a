"""The report as a whole: what a run has shown, and its JSON text."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from auditproof.report.model.backends import BackendsRecord
from auditproof.report.model.change import ChangeRecord
from auditproof.report.model.detections import DetectionsRecord
from auditproof.report.model.gate import GateRecord
from auditproof.report.model.logs import LogRecord, NoiseRecord, ServerCount
from auditproof.report.model.policy import CoverageRecord, LintRecord
from auditproof.report.model.proof import ProofRecord
from auditproof.report.model.reference import ReferenceRecord
from auditproof.report.model.requirements import RequirementEntries, RequirementRecord, StrengthRecord
from auditproof.report.model.run import ClusterRecord, PolicyRecord, RunRecord, Summary, TicketRecord
from auditproof.report.model.statements import Decision, Statements
from auditproof.report.model.values import Count, Flag, Record, Texts, absent, plain
from auditproof.report.model.versions import DifferingCase, VersionRecord

API_VERSION: Literal["auditproof/v1"] = "auditproof/v1"
KIND: Literal["ConformanceReport"] = "ConformanceReport"


class Sections(Record):
    """What a report says besides its proofs; each is absent where the run was not asked for it."""

    counting: tuple[ServerCount, ...] = absent((), "the audit counters of every API server, compared with its log")
    noise: NoiseRecord | None = absent(None, "what the given policy recorded besides the requests of the run")
    log: LogRecord | None = absent(None, "recorded events that were judged; absent: requests were sent")
    lint: LintRecord | None = absent(None, "what lint finds in the given policy (docs/lint.md)")
    coverage: CoverageRecord | None = absent(None, "what was planned for the given policy's own rules")
    change: ChangeRecord | None = absent(None, "what the given policy records differently from the base")
    gate: GateRecord | None = absent(None, "whether that change may go in")
    requirements: tuple[RequirementRecord, ...] = absent((), "what the given policy was checked against")
    fail_on: Literal["unmet", "new", "never"] = absent("unmet", "which requirements keep the run from passing if unmet")
    requirement_entries: RequirementEntries = absent(
        RequirementEntries(), "entries about requirements that have to be changed; absent: none"
    )
    strength: StrengthRecord | None = absent(None, "mutation test of the requirements")
    detections: DetectionsRecord | None = absent(None, "detection rules that the given policy was checked against")
    reference: tuple[ReferenceRecord, ...] = absent(
        (), "what became of the reference cases; one entry for each Kubernetes version of the run"
    )
    backends: BackendsRecord | None = absent(None, "what the audit backends delivered to the reader")


class Report(Sections):
    """What a run has shown: results.json as typed, frozen data.

    >>> from auditproof import Report
    >>> Report.model_fields["summary"].annotation.__name__
    'Summary'
    """

    model_config = ConfigDict(
        title="ConformanceReport of auditproof/v1",
        json_schema_extra={
            "description": "What a run has shown. Keys may be added within auditproof/v1; none is removed or changed."
        },
    )

    api_version: Literal["auditproof/v1"]
    kind: Literal["ConformanceReport"]
    decision: Decision | None = Field(default=None, description="whether the run passes; null: not stated")
    statements: Statements | None = Field(default=None, description="the statements behind the decision")
    auditproof: str = Field(default="", description="the version of auditproof")
    started: str = Field(default="", json_schema_extra={"format": "date-time"})
    finished: str = Field(default="", json_schema_extra={"format": "date-time"})
    ended: str = Field(
        default="", description="how the run ended early (was interrupted); empty where it was completed"
    )
    sabotage: Flag = Field(default=False, description="the servers ran policies broken on purpose: violations are due")
    policy: PolicyRecord
    cluster: ClusterRecord
    ticket: TicketRecord = absent(TicketRecord(), "the change that the run is about, as it was named")
    run: RunRecord = absent(RunRecord(), "who made the run, and where")
    summary: Summary
    versions: tuple[VersionRecord, ...] = absent((), "the Kubernetes versions, in a run on several; absent: one")
    differing: tuple[DifferingCase, ...] = absent((), "cases without the same result on all of these versions")
    deselected: Count = absent(0, "how many were collected and not selected (-k, -m, --deselect)")
    not_performed: Texts = Field(default=(), description="ids of what was planned and not reached; counted as unproven")
    proofs: tuple[ProofRecord, ...]

    @model_validator(mode="before")
    @classmethod
    def _judged_by_the_given_policy(cls, data: Any) -> Any:
        """Proofs that name no policy are judged by the given one."""
        if not isinstance(data, dict) or not isinstance(data.get("proofs"), list):
            return data
        named = (
            {"policy": data.get("policy"), **proof} if isinstance(proof, dict) else proof for proof in data["proofs"]
        )
        return {**data, "proofs": list(named)}


FIRST = ("apiVersion", "kind", "decision", "statements")  # in the file, for people


def results_text(report: Report) -> str:
    """The report as JSON; every proof is a line of its own."""
    return "".join(results_parts(report))


def results_parts(report: Report) -> Iterator[str]:
    """The text of the report part by part, so that the text of a large one is never in memory as a whole."""
    keys = plain(report, exclude={"proofs"})
    data = {**{key: keys[key] for key in FIRST}, **keys, "proofs": []}
    head = json.dumps(data, indent=1, ensure_ascii=False, default=str)
    yield head.removesuffix("[]\n}") + "[\n  "
    encoder = json.JSONEncoder(ensure_ascii=False, default=str)
    for number, proof in enumerate(report.proofs):
        yield (",\n  " if number else "") + encoder.encode(plain(proof))
    yield "\n ]\n}\n"
