"""The reference cases of a run: the shipped ones with policies of their own."""

from enum import StrEnum

from pydantic import Field

from auditproof.report.model.values import Count, Record, absent


class ReferenceState(StrEnum):
    """Performed in this run, attested by an earlier one with the same auditproof and servers, or left out."""

    PERFORMED = "performed"
    ATTESTED = "attested"
    LEFT_OUT = "left out"


class ReferenceRecord(Record):
    """What became of the reference cases on one Kubernetes version."""

    kubernetes: str = Field(description="the version that was asked for")
    state: ReferenceState
    cases: Count = Field(description="how many were performed, were proven by the attested run, or were left out")
    attestation: str = absent(
        "", "the SHA-256 of the attestation: the one relied on, or made by this run", pattern="^([0-9a-f]{64})?$"
    )
    made: str = absent("", "the end of the run that the attestation is of", json_schema_extra={"format": "date-time"})
    why: str = absent("", "why they were performed although attestations are used, or why this run made none")
