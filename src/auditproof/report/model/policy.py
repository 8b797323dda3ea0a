"""What is known about the given policy without a server: lint, and what was planned for its rules."""

from pydantic import Field

from auditproof.analysis.coverage import Depth
from auditproof.analysis.lint.catalogue import Severity
from auditproof.audit.event import Level
from auditproof.report.model.values import Count, Flag, Line, Record, Texts, absent


class FindingUser(Record):
    """Who sends the request that shows a finding."""

    name: str
    groups: Texts


class FindingRequest(Record):
    """A request that shows a finding, and what the policy decides about it."""

    method: str
    uri: str
    user: FindingUser | None = Field(description="null: the authentication fails")
    served: Flag = Field(description="whether the API server serves it")
    level: Level
    rule: Line | None = Field(description="the deciding rule, counted from 1")
    line: Line | None


class LintFinding(Record):
    """A finding of lint (docs/lint.md)."""

    code: str
    name: str
    severity: Severity
    path: str = ""
    line: Line
    column: Line
    message: str
    advice: str
    request: FindingRequest | None = Field(default=None, description="a request that shows it")
    shown_by: str = absent("", "the same in words")
    kubernetes: Texts = absent((), "the minor versions that it is about; absent: all of the run")
    because: str = absent("", "why a comment in the policy suppresses it")


class LintRecord(Record):
    """What lint finds in the given policy."""

    findings: tuple[LintFinding, ...]
    ignored: tuple[LintFinding, ...] = Field(description="suppressed by comments in the policy")


class RuleCoverage(Record):
    """A rule of the given policy, and the proofs that were planned for it."""

    rule: Count
    line: Line
    level: Level
    witnesses: Texts = Field(description="ids of proofs that it decides")
    near_misses: Texts = Field(description="ids of proofs that miss one of its conditions")
    reason: str = Field(description="why no request reaches the rule, or empty")


class Unperformed(Record):
    """A class of requests that no client can send."""

    what: str
    reason: str


class CoverageRecord(Record):
    """What was planned for the rules of the given policy."""

    depth: Depth
    rules: tuple[RuleCoverage, ...]
    unperformed: tuple[Unperformed, ...] = Field(description="classes of requests that no client can send")
