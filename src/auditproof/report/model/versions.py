"""A run on several Kubernetes versions: the counts of each, and the cases whose results differ."""

from pydantic import Field

from auditproof.audit.event import Level, Stage
from auditproof.proof.verdict import Outcome
from auditproof.report.model.run import Summary
from auditproof.report.model.values import Integer, Record, Texts


class VersionRecord(Record):
    """One Kubernetes version of a run on several."""

    version: str = Field(description="the minor version, as proofs name it")
    kubernetes: str = Field(description="the version that the API server reports")
    summary: Summary


class VersionResult(Record):
    """What one version has shown about a case."""

    kubernetes: str = Field(description="the minor version")
    proof: str = Field(description="id; empty where the case does not exist on this version")
    verdict: Outcome | None = Field(description="null where the case does not exist on this version")
    level: Level | None = Field(default=None, description="that was recorded; null: not performed")
    stages: tuple[Stage, ...] = ()
    status: Integer = Field(default=0, description="of the HTTP response; 0 without any")


class DifferingCase(Record):
    """A case that has not the same result on all versions of a run."""

    id: str = Field(description="of its proofs, without the version")
    title: str
    results: tuple[VersionResult, ...] = Field(description="one for each version, oldest first")
    why: Texts = Field(description="what is known about the difference")
