"""Detection rules that read the audit log: whether the given policy feeds them, and what a run showed of it."""

from typing import Literal

from pydantic import Field

from auditproof.report.model.values import Count, Flag, Line, Record, Texts, absent

Fired = Literal["FIRED", "IN PART", "SILENT", "UNPROVEN", "NOT FIRED"]
Fed = Literal["FED", "PARTLY", "BLIND", "IMPOSSIBLE"]


class LostRecord(Record):
    """Requests that a rule is about and does not see."""

    requests: str = Field(description="verbs, objects and namespaces")
    by: str
    example: str
    recorded: str = Field(description="how the policy records them, and which of its rules decides")
    line: Line | None = Field(description="of that rule; null: no rule matches")
    needed: str = Field(description="the levels and stages of which one event is needed")
    remedy: str
    new: Flag = Field(default=False, description="with the base, the rule sees them")
    in_part: Flag = Field(default=False, description="the rule sees some of them")


class DetectionRecord(Record):
    """A rule that the given policy was checked against."""

    id: str
    title: str
    pack: str
    file: str
    line: Line
    severity: str = ""
    tags: Texts = ()
    remarks: Texts = Field(default=(), description="what was assumed in reading the rule")
    feed: Fed = Field(description="whether every request that it is about is recorded so that it can match")
    before: Fed | None = Field(default=None, description="the same with the base; null: there is none")
    worse: Flag = Field(default=False, description="the change takes requests from it")
    never: str = Field(default="", description="of an IMPOSSIBLE rule, the part of its condition that no event meets")
    sees: str = Field(default="", description="a request that it sees; empty: there is none")
    lost: tuple[LostRecord, ...] = ()
    proofs: Texts = absent((), "the ids of the proofs of its examples and near misses")
    not_tried: Texts = absent((), "why no request is known that triggers the rule, or a step of it")
    fired: Fired | None = absent(None, "whether it fired on the events of its examples; absent: none was sent")
    kubernetes: Texts = absent((), "the minor versions that it is about; absent: all of the run")


class NotReadRecord(Record):
    """A rule that could not be read in full, so that nothing is said about it."""

    id: str
    title: str
    pack: str
    file: str
    line: Line
    reason: str


class DetectionsRecord(Record):
    """The detection rules of a run."""

    rules: tuple[DetectionRecord, ...]
    not_read: tuple[NotReadRecord, ...] = ()
    other_logs: Count = Field(default=0, description="rules in the same files that read another log")
    forbid_blind: Flag = Field(default=False, description="the change must not blind a rule")
