"""What the tools take and return. Their schemas are what a client sees, so every field says what it is."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from auditproof.kube.versions import DEFAULT_VERSION

MOST = 50  # entries of a list in a result; each list has a total, which counts those that are left out
FEW = 5  # entries of a list within an entry


def _listed(value: Any) -> Any:
    """A list that a client has written as text: as JSON, or separated by commas."""
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, list) else [part.strip() for part in value.split(",") if part.strip()]


Names = Annotated[list[str], BeforeValidator(_listed)]
_PLACE = "path of a file in the folder that the server was started in, or FILE#PLACE for a policy inside a document"


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class _OnVersion(_Input):
    kubernetes: str = Field(DEFAULT_VERSION, description="Kubernetes version whose rules and resources apply")


class PolicyInput(_OnVersion):
    """One policy."""

    policy: str = Field(
        "", description="text of the audit policy (YAML or JSON), or of a document that holds it, such as a ConfigMap"
    )
    policy_path: str = Field("", description=f"instead of policy: {_PLACE}")


class ExplainInput(PolicyInput):
    """One request: of a user or without a valid credential, for a resource or for a path."""

    verb: str = Field(description="API verb: get, list, watch, create, update, patch, delete, deletecollection")
    user: str = Field("", description="user name, such as alice or system:serviceaccount:shop:web")
    groups: Names = Field([], description="groups of the user; those that authentication adds are added")
    exact_groups: bool = Field(False, description="add no group to those in groups")
    unauthenticated: bool = Field(False, description="the request failed authentication (401)")
    resource: str = Field("", description="resource[.group][/subresource], such as pods/exec or deployments.apps")
    path: str = Field("", description="instead of resource: path of a non-resource request, such as /healthz")
    namespace: str = Field("", description="namespace; empty for cluster-scoped resources and all namespaces")
    name: str = Field("", description="name of the object; empty for list, watch, create and deletecollection")


class DiffInput(_OnVersion):
    """A policy before and after a change."""

    old: str = Field("", description="text of the policy before the change")
    old_path: str = Field("", description=f"instead of old: {_PLACE}")
    new: str = Field("", description="text of the policy after the change")
    new_path: str = Field("", description=f"instead of new: {_PLACE}")


class RequirementsInput(PolicyInput):
    """A policy and the requirements that it is to meet."""

    requirements: Names = Field(
        ["baseline"],
        description="shipped names (baseline, cis, stig, secrets-hygiene, security-monitoring, compliance, "
        "troubleshooting, access-management) or paths of files in the folder of the server",
    )


class DetectionsInput(PolicyInput):
    """A policy, and the detection rules that read its log."""

    rules: Names = Field(
        description="files and folders with rules (Sigma, Falco, Elastic), in the folder of the server"
    )
    base: str = Field("", description="text of the policy before the change, to see which rules the change blinds")
    base_path: str = Field("", description=f"instead of base: {_PLACE}")


class LintFinding(_Output):
    """One mistake in the policy, or fact worth knowing."""

    code: str = Field(description="such as AP402; the resource auditproof://lint/CODE explains it")
    name: str
    severity: str = Field(description="error, warning or info")
    line: int
    column: int
    message: str
    advice: str = Field(description="what to do")
    request: str | None = Field(description="a request that demonstrates the finding, and how it is recorded")


class LintResult(_Output):
    """What lint found."""

    kubernetes: str
    refused: bool = Field(description="the API server would refuse to start with this policy")
    total: int = Field(description="number of findings, also of those that are left out of the list")
    ignored: int = Field(description="number of findings that comments in the policy suppress")
    findings: list[LintFinding]


class RuleReason(_Output):
    """A rule and how it relates to the request."""

    rule: int = Field(description="its number, from 1")
    line: int
    reason: str


class ExplainResult(_Output):
    """How a request is recorded, and why."""

    request: str
    recorded: bool
    level: str = Field(description="None, Metadata, Request or RequestResponse")
    effect: str
    rule: int | None = Field(description="number of the deciding rule, from 1; null if no rule matches")
    line: int | None
    earlier_total: int
    earlier: list[RuleReason] = Field(description="the rules before it, and why each does not match")
    shadowed_total: int
    shadowed: list[RuleReason] = Field(description="later rules that would match as well")


class Change(_Output):
    """Requests that the two policies record differently in the same way."""

    kind: str
    text: str = Field(description="how they were and are recorded")
    who: str
    verbs: str
    what: str
    where: str
    rules: str = Field(description="the deciding rules of the old and of the new policy")
    odd: bool = Field(description="only a prober sends such requests, or they need a forged credential")
    witness: str = Field(description="one such request")


class DiffResult(_Output):
    """All differences between two policies, the worst first."""

    kubernetes: str
    total: int
    kinds: dict[str, int] = Field(description="number of changes of each kind")
    changes: list[Change]


class Violation(_Output):
    """Requests that are not recorded as required."""

    who: str
    verbs: str
    what: str
    where: str
    recorded: str
    required: str
    line: int | None = Field(description="line of the rule that decides them")
    example: str
    remedy: str


class RequirementResult(_Output):
    """One requirement."""

    id: str
    file: str
    title: str
    met: bool
    because: str
    source: str
    violations_total: int
    violations: list[Violation]


class RequirementsResult(_Output):
    """Which requirements the policy meets; unmet ones come first."""

    kubernetes: str
    total: int
    unmet: int
    requirements: list[RequirementResult]


class LostRequests(_Output):
    """Requests that a detection rule is about and does not see."""

    requests: str
    by: str
    recorded: str
    remedy: str
    example: str
    new: bool = Field(description="the change takes them from the rule")


class RuleResult(_Output):
    """One detection rule."""

    id: str
    title: str
    at: str
    severity: str
    feed: str = Field(description="FED, PARTLY, BLIND or IMPOSSIBLE")
    worse: bool = Field(description="the change takes requests from it")
    why_never: str
    lost_total: int
    lost: list[LostRequests]


class NotReadRule(_Output):
    """A rule that cannot be read in full, so that nothing is said about it."""

    title: str
    at: str
    reason: str


class DetectionsResult(_Output):
    """Which detection rules the policy feeds; those that lose requests come first."""

    kubernetes: str
    total: int
    counts: dict[str, int]
    rules: list[RuleResult]
    not_read_total: int
    not_read: list[NotReadRule]


class DescribeResult(_Output):
    """What the policy records, on one page for an auditor."""

    kubernetes: str
    page: str = Field(description="the page in Markdown")
    lines: int = Field(description="number of lines of the whole page")
    cut: bool = Field(description="lines are left out at the end")
