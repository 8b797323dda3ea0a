"""The decision about a run, and the three statements behind it."""

from pydantic import Field

from auditproof.report.model.values import Count, Flag, Record


class Decision(Record):
    """Whether a run passes, in a word and in one sentence; the exit code is 0 only if it does."""

    passes: Flag
    word: str = Field(description="PASS, FAIL, or UNPROVEN: nothing can be said")
    sentence: str


class Statement(Record):
    """One of the three statements: about the server, about requirements, about the change."""

    word: str
    passes: Flag
    sentence: str


class FaithfulStatement(Statement):
    """Whether the server recorded what the policy decides: PROVEN, VIOLATED or UNPROVEN."""

    server: Count = Field(default=0, description="actions that the server recorded otherwise than the policy decides")
    cases: Count = Field(default=0, description="cases that expect something else than the policy decides")
    unproven: Count = Field(default=0, description="actions about which nothing could be shown")


class RequirementsStatement(Statement):
    """Whether the policy meets the requirements: MET, NOT MET, NOT SHOWN, or NONE without any."""

    met: Count = Field(default=0, description="met, and shown on a server")
    unmet: Count = 0
    not_shown: Count = Field(default=0, description="met as computed, and not shown on a server")
    not_selected: Count = Field(default=0, description="met as computed, and left out of this run (-k, -m)")


class ChangeStatement(Statement):
    """What the policy records differently from its base; the word is the relation, or NONE without a base."""

    forbidden: Count = Field(default=0, description="forbidden changes that nobody has acknowledged")
    acknowledged: Count = Field(default=0, description="forbidden changes that are acknowledged")
    lost: Count = Field(default=0, description="kinds of requests of which an event, a body or a stage is lost")
    exposed: Count = Field(default=0, description="kinds of requests with a newly recorded body that may hold a secret")
    more: Count = Field(default=0, description="kinds of requests of which anything else is newly recorded")


class Statements(Record):
    """The three statements, which are never mixed."""

    faithful: FaithfulStatement
    requirements: RequirementsStatement
    change: ChangeStatement
