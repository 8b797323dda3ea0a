"""A proof: one action that was planned, what was expected, what was recorded, and the verdict."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from auditproof.audit.event import Level, Stage
from auditproof.kube.identity import IdentityKind
from auditproof.proof.verdict import Outcome
from auditproof.report.model.run import PolicyRef
from auditproof.report.model.values import Amount, Count, Flag, Integer, Line, Record, Texts, absent

Condition = Literal["users", "userGroups", "verbs", "namespaces", "resources", "nonResourceURLs"]


def _with_stage(event: dict[str, Any]) -> dict[str, Any]:
    if "stage" not in event:
        raise ValueError("an audit event needs a stage")
    return event


Event = Annotated[dict[str, Any], AfterValidator(_with_stage), Field(json_schema_extra={"required": ["stage"]})]


class IdentityRecord(Record):
    """Who acted, as the API server's authentication sees it."""

    user: str | None = Field(description="null: the authentication fails")
    groups: Texts
    kind: IdentityKind | Literal["recorded"]
    impersonates: str | None = None


class RequestRecord(Record):
    """What was sent; empty texts where an attribute does not apply."""

    method: str = Field(description="of HTTP")
    path: str = Field(description="with its query")
    verb: str
    api_group: str
    resource: str
    subresource: str
    namespace: str
    name: str


class Expected(Record):
    """What had to be recorded."""

    rule: Count | None = Field(description="index of the deciding rule; null: no rule matches")
    line: Line | None = Field(description="of the deciding rule in the policy")
    level: Level
    stages: tuple[Stage, ...] = ()
    source: Literal["case", "policy"] = Field(default="policy", description="what states the level")


class Observed(Record):
    """What was recorded."""

    level: Level | None = Field(description="None: no event was found; null: not performed")
    stages: tuple[Stage, ...]
    status: Integer = Field(default=0, description="of the HTTP response; 0 without any")


class ClaimRecord(Record):
    """What a text says about its policy, and whether it is so."""

    text: str
    level: Level
    holds: Flag


class EarlierRule(Record):
    """A rule before the deciding one, with the condition that fails."""

    rule: Count
    line: Line
    condition: Condition
    reason: str


class ExplanationRecord(Record):
    """Why the deciding rule decides."""

    effect: str = Field(default="", description="the effect of the decision, in words")
    earlier: tuple[EarlierRule, ...] = Field(default=(), description="every rule before it")
    shadowed: tuple[Count, ...] = Field(default=(), description="later rules that match as well and have no say")


class FiringRecord(Record):
    """What a detection rule made of the events of an action."""

    rule: str = Field(description="its id")
    step: Count = Field(default=1, description="which of its conditions, from 1")
    miss: Flag = Field(default=False, description="the action is a near miss, on which the rule must not fire")
    fired: bool | None = Field(description="null: not shown")
    level: Level | None = Field(default=None, description="of the event on which it fired")
    stage: Stage | None = Field(default=None, description="of that event")
    silence: str = Field(default="", description="why it did not: the test that fails, and on which event")
    through: str = absent("", "the controller whose request, caused by the action, the rule reads")


class ProofRecord(Record):
    """One action that was planned: what was expected, what was recorded, and the verdict."""

    id: str
    title: str = ""
    suite: str = ""
    line: Integer = Field(default=0, description="of the case in its suite")
    policy: PolicyRef = Field(description="the policy that the action is judged by; absent: the given one")
    kubernetes: str = absent("", "the minor version, in a run on several")
    identity: IdentityRecord
    request: RequestRecord
    because: str = ""
    explanation: ExplanationRecord = ExplanationRecord()
    audit_id: str = Field(description="empty where the action was not performed")
    expected: Expected
    observed: Observed
    verdict: Outcome
    reasons: Texts
    contradicts: Literal["", "policy", "events"] = absent(
        "",
        "if the server recorded what the policy decides, and the case expects something else: "
        "than the policy decides (policy), or of what is in the events (events)",
    )
    claim: ClaimRecord | None = None
    events: tuple[Event, ...] = Field(default=(), description="audit.k8s.io/v1 Events, redacted")
    firing: FiringRecord | None = absent(None, "of an action that is made from a detection rule")
    fence: str = Field(default="", description="what shows that there are no other events")
    seconds: Amount = Field(default=0.0, description="how long the request took")
