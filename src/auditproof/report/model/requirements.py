"""Requirements that the given policy was checked against, and the mutation test of them."""

from typing import Literal

from pydantic import Field

from auditproof.audit.event import Level, Stage
from auditproof.report.model.gate import AcknowledgementRecord
from auditproof.report.model.values import Count, Flag, Line, Record, Texts, absent


class ViolationRecord(Record):
    """Requests that are not recorded as required, found without a server."""

    level: Level
    stages: tuple[Stage, ...] | None = Field(
        default=None, description="where the events are, if the level is as required and the stages are not"
    )
    rule: Count | None
    line: Line | None
    who: str
    verbs: str
    what: str
    where: str
    odd: Texts = Field(default=(), description="what is unusual about these requests; empty: nothing")
    request: str
    remedy: str = Field(default="", description="what to change in the policy")
    known: Flag = Field(default=False, description="the base does not record them as required either")
    kubernetes: Texts = absent((), "the minor versions that it is about; absent: all of the run")


class AcknowledgedRequirement(AcknowledgementRecord):
    """An entry of the file of acknowledged changes about a requirement that is not met."""

    requirement: str = Field(description="as the entry names it")


class RequirementEntries(Record):
    """What is wrong with entries about requirements."""

    unneeded: tuple[AcknowledgedRequirement, ...] = Field(default=(), description="the requirement is met")
    expired: tuple[AcknowledgedRequirement, ...] = Field(default=(), description="the last day is over")
    unchecked: tuple[AcknowledgedRequirement, ...] = Field(default=(), description="the run does not check it")


class RequirementRecord(Record):
    """A requirement that the given policy was checked against."""

    file: str
    id: str
    title: str
    level: str = Field(description="the permitted levels, and stages if the requirement names any")
    because: str
    source: str
    line: Line = Field(description="in the requirements file")
    classes: Count = Field(description="how many classes of requests it is about, on all versions of the run")
    violations: tuple[ViolationRecord, ...]
    beyond: tuple[ViolationRecord, ...] = Field(
        default=(), description="unusual requests that are not recorded so either"
    )
    proofs: Texts = Field(description="ids of the proofs that show it")
    met: Flag | None = Field(
        default=None, description="whether it is met, as computed and shown; null: met as computed, and not shown"
    )
    shown: Flag = Field(default=False, description="whether all of its proofs are PROVEN")
    status: Literal["new", "known", "fixed", ""] = Field(
        default="",
        description="new: unmet, and not known; known: unmet as under the base, or acknowledged; fixed: met, and not "
        "under the base; empty: there is nothing to compare it with, or nothing changes",
    )
    acknowledged: AcknowledgedRequirement | None = Field(default=None, description="the entry that accepts it as unmet")


class Unnoticed(Record):
    """A mutant of the policy that no requirement notices."""

    rule: Count | None
    line: Line | None
    change: str


class StrengthRecord(Record):
    """Mutation test of the requirements: how many mistakes in the policy they would catch."""

    mutants: Count
    noticed: Count
    unnoticed: tuple[Unnoticed, ...]
