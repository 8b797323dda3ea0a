"""What the given policy records differently from its base."""

from pydantic import ConfigDict, Field

from auditproof.audit.event import Level, Stage
from auditproof.report.model.run import PolicyRef
from auditproof.report.model.values import Count, Flag, Line, Record, Texts, absent


class EffectRecord(Record):
    """What a policy does with a request."""

    level: Level
    stages: tuple[Stage, ...]
    omit_managed_fields: Flag


class RuleRef(Record):
    """A rule and its line."""

    rule: Count
    line: Line


class RulePair(Record):
    """The rules that decide before and after; null: no rule matches."""

    old: RuleRef | None
    new: RuleRef | None


class WitnessRecord(Record):
    """One request of a kind: method and uri as they are sent, or the reason why no client can send it."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"uri": ["method"]}})

    user: str | None = None
    groups: Texts = ()
    verb: str = ""
    path: str = absent("", "of a request that is about no resource")
    namespace: str = absent("", "of a request for a resource")
    api_group: str = absent("", "of a request for a resource")
    resource: str = absent("", "of a request for a resource")
    subresource: str = absent("", "of a request for a resource")
    name: str = absent("", "of a request for a resource")
    method: str = absent("", "of HTTP")
    uri: str = absent("", "path and query")
    reason: str = absent("", "why no client can send it")


class ChangeProofs(Record):
    """Ids of the two proofs of a change; empty where no client can send such a request."""

    old: str = absent("", "on a server with the base policy")
    new: str = absent("", "on a server with the given policy")


class ChangeRow(Record):
    """A kind of request that two policies record differently."""

    kubernetes: str = absent("", "the minor version, in a run on several")
    kind: str = Field(description="what happens to these requests in the log")
    text: str = Field(description="the same with levels or stages")
    old: EffectRecord
    new: EffectRecord
    who: str
    forged: Flag = Field(description="only a forged credential has these groups")
    odd: Texts = Field(default=(), description="what is unusual about these requests; empty: nothing")
    verbs: Texts
    verbs_text: str
    what: str
    where: str
    resources: Texts = ()
    paths: Texts = ()
    served: Flag = Field(description="whether the API server serves it, or responds with 404 or 405")
    classes: Count = Field(default=0, description="how many classes of requests the row represents")
    rules: tuple[RulePair, ...]
    witness: WitnessRecord
    proofs: ChangeProofs


class ChangeRecord(Record):
    """What the given policy (new) records differently from the base (old)."""

    old: PolicyRef
    new: PolicyRef
    changes: tuple[ChangeRow, ...]
