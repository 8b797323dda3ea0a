"""The gate: whether the change from the base does something forbidden that nobody has acknowledged."""

from pydantic import Field

from auditproof.analysis.gate import Consequence, Relation
from auditproof.report.model.change import ChangeProofs, RulePair
from auditproof.report.model.values import Flag, Line, Record, Texts, absent


class AcknowledgementRecord(Record):
    """An entry of the file of acknowledged changes."""

    because: str
    approved_by: str
    ticket: str
    until: str | None = Field(description="its last day; null: it has no end")
    file: str
    line: Line


class GatedEffect(Record):
    """One way in which the log changes, and who acknowledged it."""

    effect: Consequence
    acknowledged: AcknowledgementRecord | None = Field(description="null: nobody")


class GatedChange(Record):
    """A kind of requests to which the same happens."""

    effects: tuple[GatedEffect, ...] = Field(description="what happens, worst first")
    acknowledged: Flag = Field(description="whether all of it is acknowledged")
    text: str = Field(description="how their recording changes")
    who: str
    verbs: Texts
    what: str
    where: str
    resources: Texts
    paths: Texts
    witness: str = Field(description="one of these requests, in words")
    rules: tuple[RulePair, ...] = Field(default=(), description="the pairs of rules that decide before and after")
    proofs: ChangeProofs = Field(default=ChangeProofs(), description="ids of the proofs of one of these requests")
    kubernetes: Texts = absent((), "the minor versions that it is about; absent: all of the run")


class GateRecord(Record):
    """Whether the change may go in, as computed over all requests."""

    relation: Relation = Field(description="how much the given policy records, compared with the base")
    forbid: tuple[Consequence, ...] = Field(description="the effects that are forbidden")
    only: Texts = absent((), "the resources that the gate is limited to; absent: all requests")
    passes: Flag = Field(description="whether nothing forbidden is left that nobody acknowledged")
    decision: str = Field(description="the same in a sentence")
    forbidden: tuple[GatedChange, ...] = Field(description="the forbidden changes, the worst first")
    allowed: tuple[GatedChange, ...] = Field(default=(), description="what else happens to requests, the worst first")
    unused: tuple[AcknowledgementRecord, ...] = Field(description="acknowledgements that cover nothing forbidden")
    expired: tuple[AcknowledgementRecord, ...] = Field(description="acknowledgements whose last day is over")
