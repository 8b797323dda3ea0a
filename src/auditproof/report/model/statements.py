"""The decision about a run, and the statements behind it."""

from pydantic import Field

from auditproof.report.model.values import Count, Flag, Record, absent


class Decision(Record):
    """Whether a run passes, in a word and in one sentence; the exit code is 0 only if it does."""

    passes: Flag
    word: str = Field(description="PASS, FAIL, or UNPROVEN: nothing can be said")
    sentence: str


class Statement(Record):
    """One of the statements: about the server, requirements, the change, or detection rules."""

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


class DetectionsStatement(Statement):
    """Whether the policy feeds detection rules: the word of the worst one, or NONE without any."""

    fed: Count = 0
    partly: Count = 0
    blind: Count = 0
    impossible: Count = Field(default=0, description="no event that an API server writes can match")
    not_read: Count = Field(default=0, description="rules that could not be read in full")
    worse: Count = Field(default=0, description="rules that the change takes requests from")
    fired: Count = absent(0, "rules that fired on the events of all of their examples")
    silent: Count = absent(0, "rules that did not, on one at least")
    not_fired: Count = absent(0, "rules of which it was not shown, or of which no example can be sent")
    blinded: Count = Field(default=0, description="those of them that see nothing any more")


class Statements(Record):
    """The statements behind the decision, which are never mixed."""

    faithful: FaithfulStatement
    requirements: RequirementsStatement
    change: ChangeStatement
    detections: DetectionsStatement | None = absent(None, "about detection rules; absent: none were given")
