"""results.json as types: the one description of its keys, their defaults and their meaning. Pure.

A report is built out of these models, written from them and read back into them; results.schema.json is generated from
them (``make schema``). Within ``auditproof/v1`` keys may be added; none is removed or changes its meaning. Whatever has
a default may be missing in a file that an earlier version wrote. Rules are counted from 0, lines from 1.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from auditproof.analysis.coverage import Depth
from auditproof.analysis.lint.catalogue import Severity
from auditproof.audit.event import Level, Stage
from auditproof.kube.identity import IdentityKind
from auditproof.proof.verdict import Outcome

API_VERSION: Literal["auditproof/v1"] = "auditproof/v1"
KIND: Literal["ConformanceReport"] = "ConformanceReport"

# pydantic would read "1", 1.0 and true as the integer 1, which no schema does.
Integer = Annotated[int, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
Line = Annotated[int, Field(strict=True, ge=1)]
Number = Annotated[float, Field(strict=True)]
Amount = Annotated[float, Field(strict=True, ge=0)]
Flag = Annotated[bool, Field(strict=True)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Condition = Literal["users", "userGroups", "verbs", "namespaces", "resources", "nonResourceURLs"]
Texts = tuple[str, ...]


def _with_stage(event: dict[str, Any]) -> dict[str, Any]:
    if "stage" not in event:
        raise ValueError("an audit event needs a stage")
    return event


Event = Annotated[dict[str, Any], AfterValidator(_with_stage), Field(json_schema_extra={"required": ["stage"]})]


def _absent(default: Any, description: str, **constraints: Any) -> Any:
    """A field that is left out of the file where it has its default."""
    return Field(default, description=description, exclude_if=lambda value: value == default, **constraints)


def _key(name: str) -> str:
    return "auditID" if name == "audit_id" else to_camel(name)


class Record(BaseModel):
    """A JSON object of results.json: its keys are the fields' names in camel case."""

    model_config = ConfigDict(frozen=True, alias_generator=_key, validate_by_name=True, validate_by_alias=True)


def plain(record: Record, **options: Any) -> dict[str, Any]:
    """The record as JSON values under its keys; enumerations are written by ``json.dumps(default=str)``."""
    return record.model_dump(by_alias=True, **options)


# -- the run ----------------------------------------------------------------------------------------------------------


class PolicyRef(Record):
    """A policy file by its path and its content."""

    path: str
    sha256: Sha256


class PolicyRecord(PolicyRef):
    """The policy that the run was given."""

    commit: str | None = Field(
        default=None, description="the git commit that the file is checked out at; null: unknown"
    )
    modified: Flag | None = Field(default=None, description="whether the file differs from that commit; null: unknown")
    text: str = Field(default="", description="the file as the API server got it")
    rule_lines: tuple[Line, ...] = Field(default=(), description="the line on which each rule begins")
    file: str = _absent("", "the document that holds the policy; absent: it is a file of its own")
    first_line: int = _absent(
        0, "the line of that document on which the text begins; absent: it is not literally there"
    )
    warnings: Texts = Field(default=(), description="what the API server ignores in the file, with line and column")


class ClusterRecord(Record):
    """Where the run took place."""

    provider: str
    kubernetes: str = Field(description="the version that the API server reports")
    start_seconds: Amount = Field(default=0.0, description="how long the run waited for its servers to be ready")
    flags: dict[str, str] = Field(default={}, description="flags of the API server that the profile sets")
    not_running: str = _absent("", "why the server seems not to run the policy; absent: it does")


class RunRecord(Record):
    """Who made the run, and where; empty where unknown, without secrets."""

    by: str = ""
    ci: str = Field(default="", description="the CI system")
    url: str = Field(default="", description="of the CI job")
    command: Texts = ()


class Summary(Record):
    """The counts of a run: planned = proven + violated + unproven + notSupported."""

    planned: Count
    performed: Count = Field(description="how many requests were sent")
    proven: Count
    violated: Count
    unproven: Count = Field(description="includes what was planned and not reached")
    not_supported: Count


# -- a proof ----------------------------------------------------------------------------------------------------------


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


class ProofRecord(Record):
    """One action that was planned: what was expected, what was recorded, and the verdict."""

    id: str
    title: str = ""
    suite: str = ""
    line: Integer = Field(default=0, description="of the case in its suite")
    policy: PolicyRef = Field(description="the policy that the action is judged by; absent: the given one")
    kubernetes: str = _absent("", "the minor version, in a run on several")
    identity: IdentityRecord
    request: RequestRecord
    because: str = ""
    explanation: ExplanationRecord = ExplanationRecord()
    audit_id: str = Field(description="empty where the action was not performed")
    expected: Expected
    observed: Observed
    verdict: Outcome
    reasons: Texts
    claim: ClaimRecord | None = None
    events: tuple[Event, ...] = Field(default=(), description="audit.k8s.io/v1 Events, redacted")
    fence: str = Field(default="", description="what shows that there are no other events")
    seconds: Amount = Field(default=0.0, description="how long the request took")


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


# -- what is known about the policy -----------------------------------------------------------------------------------


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
    shown_by: str = _absent("", "the same in words")
    kubernetes: Texts = _absent((), "the minor versions that it is about; absent: all of the run")
    because: str = _absent("", "why a comment in the policy suppresses it")


class LintRecord(Record):
    """What lint finds in the given policy."""

    findings: tuple[LintFinding, ...]
    ignored: tuple[LintFinding, ...] = Field(description="suppressed by comments in the policy")


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
    path: str = _absent("", "of a request that is about no resource")
    namespace: str = _absent("", "of a request for a resource")
    api_group: str = _absent("", "of a request for a resource")
    resource: str = _absent("", "of a request for a resource")
    subresource: str = _absent("", "of a request for a resource")
    name: str = _absent("", "of a request for a resource")
    method: str = _absent("", "of HTTP")
    uri: str = _absent("", "path and query")
    reason: str = _absent("", "why no client can send it")


class ChangeProofs(Record):
    """Ids of the two proofs of a change; empty where no client can send such a request."""

    old: str = _absent("", "on a server with the base policy")
    new: str = _absent("", "on a server with the given policy")


class ChangeRow(Record):
    """A kind of request that two policies record differently."""

    kubernetes: str = _absent("", "the minor version, in a run on several")
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
    classes: Count = Field(default=0, description="how many classes of requests the row stands for")
    rules: tuple[RulePair, ...]
    witness: WitnessRecord
    proofs: ChangeProofs


class ChangeRecord(Record):
    """What the given policy (new) records differently from the base (old)."""

    old: PolicyRef
    new: PolicyRef
    changes: tuple[ChangeRow, ...]


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
    kubernetes: Texts = _absent((), "the minor versions that it is about; absent: all of the run")


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


# -- whole logs -------------------------------------------------------------------------------------------------------


class ServerCount(Record):
    """The audit counters of one API server, compared with its whole log."""

    policy: str = Field(description="the policy that the server runs")
    events: Count = Field(description="apiserver_audit_event_total")
    lost: Count = Field(description="apiserver_audit_error_total, without those of a webhook")
    lines: Count = Field(description="events in the log at the moment of the counters")
    levels: dict[str, Integer] = Field(
        description="apiserver_audit_level_total by level; None are the requests that were excluded"
    )
    holds: Flag | None = Field(description="lines = events - lost; null: could not be counted")
    reason: str = Field(description="what does not add up, or why nothing could be counted")


class NoiseShare(Record):
    """Events and bytes, and events per second."""

    events: Count
    bytes: Count
    events_per_second: Amount


class NoiseComponent(NoiseShare):
    """The share of one client."""

    user: str
    program: str = Field(description="the first word of the User-Agent")


class NoiseRule(NoiseShare):
    """The share of one rule; null where the rule is not known."""

    rule: Count | None
    line: Line | None
    level: Level | None


class NoiseRecord(NoiseShare):
    """What the server with the given policy recorded besides the requests of the run."""

    seconds: Amount
    components: tuple[NoiseComponent, ...] = Field(description="by client, largest first")
    rules: tuple[NoiseRule, ...] = Field(description="by deciding rule, largest first")
    reactions: NoiseShare = Field(description="of controllers, in namespaces of the run; not counted above")


class LogFile(Record):
    """A file of recorded events."""

    path: str
    lines: Count
    events: Count
    invalid: Count = Field(description="what is no event that can be judged, and may be any")
    blank: Count = Field(default=0, description="blank lines")
    forms: dict[str, Count] = Field(default={}, description="events by the form in which they were found")
    others: dict[str, Count] = Field(default={}, description="what is surely of another log, by which")
    encodings: Texts = Field(default=(), description="what was decompressed or decoded")


class LogRecord(Record):
    """Recorded events that were judged; no request was sent."""

    files: tuple[LogFile, ...]
    first: str = Field(description="time of the first event")
    last: str
    requests: Count
    kinds: Count = Field(default=0, description="of requests")
    repeated: Count = Field(default=0, description="events that came again, and were judged once")
    not_seen: Texts = Field(description="what these files cannot show, in words")


# -- backends ---------------------------------------------------------------------------------------------------------


class Deliveries(Record):
    """What happened to the events of a number of requests: performed = recorded + lost + unproven."""

    performed: Count
    recorded: Count = Field(description="all their events are there")
    lost: Count = Field(description="one of their events will certainly never arrive")
    unproven: Count = Field(description="neither can be shown")


class BackendAccount(Deliveries):
    """What happened to one batch of requests."""

    refused: Count = Field(description="not served, because they could not be recorded")
    events: Integer | None = Field(description="apiserver_audit_event_total")
    errors: dict[str, Integer] = Field(description="apiserver_audit_error_total by plugin")
    lines: Integer | None = Field(description="in the log; null where it cannot be read to its end")
    answers: dict[str, Integer] = Field(description="HTTP statuses; 0 for no response")
    slowest_seconds: Number
    why: str = Field(description="why the lost ones are certain, or why nothing is")


class BackendLoad(Record):
    """What a backend in a mode sustained."""

    backend: str
    mode: str
    events_per_second: Number
    requests_per_second: Number
    median_milliseconds: Number
    p99_milliseconds: Number
    events: Integer
    lost: Integer


class BackendTest(Deliveries):
    """One test of a server with backends of its own; the counts are the sums of its accounts."""

    id: str
    title: str
    suite: str
    line: Integer
    flags: dict[str, str]
    verdict: Outcome
    reason: str
    accounts: tuple[BackendAccount, ...]
    facts: Texts = Field(description="what was measured")


class BackendsRecord(Deliveries):
    """What the audit backends delivered to the reader."""

    not_performed: Texts = Field(description="ids of tests that were planned and not reached")
    load: tuple[BackendLoad, ...] = Field(description="what each backend and mode sustained in this run")
    tests: tuple[BackendTest, ...]


# -- the report -------------------------------------------------------------------------------------------------------


class Sections(Record):
    """What a report says besides its proofs; each is absent where the run was not asked for it."""

    counting: tuple[ServerCount, ...] = _absent((), "the audit counters of every API server, compared with its log")
    noise: NoiseRecord | None = _absent(None, "what the given policy recorded besides the requests of the run")
    log: LogRecord | None = _absent(None, "recorded events that were judged; absent: requests were sent")
    lint: LintRecord | None = _absent(None, "what lint finds in the given policy (docs/lint.md)")
    coverage: CoverageRecord | None = _absent(None, "what was planned for the given policy's own rules")
    change: ChangeRecord | None = _absent(None, "what the given policy records differently from the base")
    requirements: tuple[RequirementRecord, ...] = _absent((), "what the given policy was checked against")
    strength: StrengthRecord | None = _absent(None, "mutation test of the requirements")
    backends: BackendsRecord | None = _absent(None, "what the audit backends delivered to the reader")


class Report(Sections):
    """What a run has shown: results.json as typed, frozen data.

    >>> from auditproof import Report
    >>> Report.model_fields["summary"].annotation.__name__
    'Summary'
    """

    model_config = ConfigDict(
        title="ConformanceReport of auditproof/v1",
        json_schema_extra={
            "description": "What a run has shown. Keys may be added within auditproof/v1; none is removed or changed."
        },
    )

    api_version: Literal["auditproof/v1"]
    kind: Literal["ConformanceReport"]
    auditproof: str = Field(default="", description="the version of auditproof")
    started: str = Field(default="", json_schema_extra={"format": "date-time"})
    finished: str = Field(default="", json_schema_extra={"format": "date-time"})
    ended: str = Field(
        default="", description="how the run ended early (was interrupted); empty where it was completed"
    )
    sabotage: Flag = Field(default=False, description="the servers ran policies broken on purpose: violations are due")
    policy: PolicyRecord
    cluster: ClusterRecord
    run: RunRecord = _absent(RunRecord(), "who made the run, and where")
    summary: Summary
    versions: tuple[VersionRecord, ...] = _absent((), "the Kubernetes versions, in a run on several; absent: one")
    differing: tuple[DifferingCase, ...] = _absent((), "cases without the same result on all of these versions")
    deselected: Count = _absent(0, "how many were collected and not selected (-k, -m, --deselect)")
    not_performed: Texts = Field(default=(), description="ids of what was planned and not reached; counted as unproven")
    proofs: tuple[ProofRecord, ...]

    @model_validator(mode="before")
    @classmethod
    def _judged_by_the_given_policy(cls, data: Any) -> Any:
        """Proofs that name no policy are judged by the given one."""
        if not isinstance(data, dict) or not isinstance(data.get("proofs"), list):
            return data
        named = (
            {"policy": data.get("policy"), **proof} if isinstance(proof, dict) else proof for proof in data["proofs"]
        )
        return {**data, "proofs": list(named)}


def results_text(report: Report) -> str:
    """The report as JSON; every proof is a line of its own."""
    head = json.dumps({**plain(report, exclude={"proofs"}), "proofs": []}, indent=1, ensure_ascii=False, default=str)
    proofs = ",\n  ".join(json.dumps(plain(proof), ensure_ascii=False, default=str) for proof in report.proofs)
    return head.removesuffix("[]\n}") + f"[\n  {proofs}\n ]\n}}\n"
