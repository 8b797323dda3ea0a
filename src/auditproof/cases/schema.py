"""The format of ``*.audit.yaml``, as strict pydantic models. Used only by the loaders in this package."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from auditproof.client.misbehaving import ClientBehaviour  # noqa: TC001 - pydantic needs it at run time
from auditproof.kube.yaml.strict_model import Strict

MINOR = r"^1\.[0-9]+$"
SLUG = r"^[a-z0-9][a-z0-9-]*$"
LevelName = Literal["None", "Metadata", "Request", "RequestResponse", "excluded"]
CapabilityName = Literal[
    "setsPolicy",
    "mintsX509",
    "signsCertificates",
    "grantsClusterRights",
    "readsLog",
    "runsPods",
    "controllers",
    "kubelet",
    "staticTokens",
    "bootstrapTokens",
    "frontProxy",
    "legacyTokens",
    "oidc",
    "callsBack",
    "aggregates",
]  # the values of Capability
StageName = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]


def _file_or_object(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError("expected the path of a manifest, or an object")
    return value


def _level_alone(value: Any) -> Any:
    return {"level": value} if isinstance(value, str) else value


Given = Annotated[Any, AfterValidator(_file_or_object), WithJsonSchema({"type": ["string", "object"]})]
QueryValue = Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean", "array"]})]


class ImpersonatesModel(Strict):
    """The user that an identity impersonates."""

    user: str = Field(min_length=1, description="the name of that user")
    groups: list[str] = Field(default=[], description="the groups of that user")
    uid: str = Field(default="", description="the uid of that user")
    extra: dict[str, list[str]] = Field(default={}, description="further attributes of that user")


class AccessModel(Strict):
    """An RBAC rule, spelled as in rbac.authorization.k8s.io/v1."""

    verbs: list[str] = Field(description="API verbs; * for all of them")
    api_groups: list[str] = Field(default=[], alias="apiGroups", description='API groups; "" is the core group')
    resources: list[str] = Field(default=[], description="resources, such as pods or pods/log; * for all of them")
    resource_names: list[str] = Field(default=[], alias="resourceNames", description="only objects of these names")
    non_resource_urls: list[str] = Field(default=[], alias="nonResourceURLs", description="paths, such as /healthz")


class IdentityModel(Strict):
    """Who acts; exactly one of the keys listed in load_identity.WAYS."""

    user: str = Field(default="", description="common name of an x509 client certificate")
    groups: list[str] = Field(
        default=[], description="organizations of the certificate, or groups that the proxy names"
    )
    certificate: Literal["valid", "expired", "untrusted"] = Field(default="valid", description="the user's")
    service_account: str = Field(
        default="", alias="serviceAccount", pattern=r"^[^/]+/[^/]+$", description="namespace/name of a service account"
    )
    pod: str = Field(default="", description="the Pod of its namespace that the service account's token is bound to")
    node: str = Field(default="", description="the Node that the service account's token is bound to")
    token: Literal["", "legacy", "expired", "foreign"] = Field(
        default="",
        description="legacy: a service account token from a Secret; expired, foreign: such a token of the OIDC issuer",
    )
    oidc: str = Field(default="", description="a user of the local OpenID Connect issuer (recorded as oidc:<user>)")
    uid: str = Field(default="", description="in the certificate or the issuer's token")
    extra: dict[str, list[str]] = Field(
        default={}, description="set by a proxy, or example.com/team by the OIDC issuer"
    )
    front_proxy: str = Field(default="", alias="frontProxy", description="the user that an authenticating proxy names")
    static_token: bool = Field(default=False, alias="staticToken", description="the user of --token-auth-file")
    bootstrap_token: bool = Field(default=False, alias="bootstrapToken", description="a joining node's token")
    anonymous: bool = Field(default=False, description="no credential: system:anonymous")
    bad_token: bool = Field(default=False, alias="badToken", description="a token that nobody issued: 401")
    impersonates: ImpersonatesModel | None = Field(default=None, description="acts as this other user")
    rights: Literal["own", "none"] = Field(default="own", description="own: what its actions need; none: 403")
    access: list[AccessModel] = Field(default=[], description="rights in addition to those that its actions need")


class DoModel(Strict):
    """The action: exactly one of the verbs, path and request."""

    get: str = Field(default="", description="resource[.group]/name[/subresource]")
    list_: str = Field(default="", alias="list", description="resource[.group]")
    watch: str = Field(default="", description="resource[.group]; the server ends the watch after a second")
    create: str = Field(default="", description="resource[.group]/name[/subresource]")
    update: str = Field(default="", description="resource[.group]/name[/subresource]")
    patch: str = Field(default="", description="resource[.group]/name[/subresource]")
    delete: str = Field(default="", description="resource[.group]/name[/subresource]")
    deletecollection: str = Field(default="", description="resource[.group]")
    exec: str = Field(default="", description="pods/name: what kubectl exec sends")
    attach: str = Field(default="", description="pods/name: what kubectl attach sends")
    portforward: str = Field(default="", description="pods/name: what kubectl port-forward sends")
    log: str = Field(default="", description="pods/name: what kubectl logs sends")
    scale: str = Field(default="", description="resource[.group]/name: what kubectl scale sends")
    evict: str = Field(default="", description="pods/name: what kubectl drain sends for each pod")
    command: str | list[str] = Field(default=[], description="of exec; a text is one word (default: sh)")
    container: str = Field(default="", description="of exec, attach and log")
    replicas: int | None = Field(default=None, ge=0, description="of scale (default: 1)")
    path: str = Field(default="", description="a non-resource path", pattern="^(/.*)?$")
    request: str = Field(default="", description="METHOD and path, sent unchanged", pattern="^([^ ]+ /[^ ]*)?$")
    in_: str = Field(default="", alias="in", description="the namespace")
    version: str = Field(default="", description="of a custom resource")
    kind: str = Field(default="", description="of a custom resource")
    cluster_scoped: bool = Field(default=False, alias="clusterScoped", description="a cluster-scoped custom resource")
    object: dict[str, Any] | None = Field(default=None, description="the object to create or update")
    type: Literal["json", "merge", "strategic", "apply"] = Field(default="merge", description="the kind of a patch")
    body: Any = Field(default=None, description="a patch, options, or text that is sent unchanged")
    base64: str = Field(default="", description="a binary body, sent unchanged")
    content_type: str = Field(default="", alias="contentType", description="the Content-Type of the body")
    field_selector: str = Field(default="", alias="fieldSelector", description="of list, watch and deletecollection")
    label_selector: str = Field(default="", alias="labelSelector", description="of list, watch and deletecollection")
    query: dict[str, QueryValue] = Field(default={}, description="further parameters of the query")
    headers: dict[str, str] = Field(default={}, description="further headers of the request")
    dry_run: bool = Field(default=False, alias="dryRun", description="the server answers and changes nothing")
    upgrade: Literal["", "websocket", "spdy"] = Field(default="", description="the protocol of a stream")
    client: ClientBehaviour = Field(
        default="", description="for a client that does not simply wait for the response and read it"
    )
    method: str = Field(default="", description="the HTTP method for path (default: GET)")


class ExpectModel(Strict):
    """The expected events; absent keys mean: as the policy decides."""

    level: LevelName | None = Field(default=None, description="the level; None or excluded: no event")
    stages: list[StageName] | None = Field(default=None, description="the stages that have an event, and no others")
    status: int | None = Field(default=None, ge=100, le=599, description="the code of the response")
    present: list[str] = Field(default=[], description="dotted paths that the event of the last stage has")
    absent: list[str] = Field(default=[], description="dotted paths that it lacks, such as responseObject")
    event: dict[str, Any] = Field(
        default={},
        description="a part of the event of the last stage; null: absent; <client>: the client's address",
    )


Expect = Annotated[ExpectModel, BeforeValidator(_level_alone, json_schema_input_type=LevelName | ExpectModel)]


class ClaimModel(Strict):
    """A statement of another source about the action."""

    text: str = Field(min_length=1, description="the statement, and where it is made")
    level: LevelName = Field(description="the level that follows from it")


class DiffersModel(Strict):
    """What other Kubernetes versions record; ``since`` and ``until`` say which, at least one of the two."""

    since: str = Field(default="", pattern=f"^$|{MINOR}", description="the first Kubernetes version of these")
    until: str = Field(default="", pattern=f"^$|{MINOR}", description="the last Kubernetes version of these")
    expect: Expect = Field(description="the keys given here replace those of the case's expect")
    because: str = Field(min_length=1, description="what is different in these versions, with its source")


class CaseModel(Strict):
    """One case: as X, do Y, expect Z."""

    id: str = Field(pattern=SLUG, description="its name in reports, which no other case of the file has")
    title: str = Field(min_length=1, description="what the case shows, in one sentence")
    as_: str = Field(alias="as", description="who acts: a ready-made identity, or a name from identities")
    do: DoModel = Field(description="what is asked")
    given: list[Given] = Field(
        default=[], description="objects that are there before the action: the path of a manifest, or an object"
    )
    expect: Expect = Field(
        default=ExpectModel(),
        description="the expected events: a level, or more; absent: as the policy decides (not with policy:)",
    )
    claim: ClaimModel | None = Field(default=None, description="what another source says about the action")
    because: str = Field(default="", description="why this is expected")
    needs: list[CapabilityName] = Field(
        default=[], description="what the cluster must offer; without it, the case is not supported"
    )
    since: str = Field(
        default="", pattern=f"^$|{MINOR}", description="the first Kubernetes version with this behaviour"
    )
    until: str = Field(default="", pattern=f"^$|{MINOR}", description="the last Kubernetes version with this behaviour")
    differs: list[DiffersModel] = Field(
        default=[], description="Kubernetes versions on which something else is expected"
    )
    marks: list[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]] = Field(
        default=[], description="pytest marks, for -m"
    )
    covers: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]] = Field(
        default=[], description="ids of the facts that the case demonstrates (suites/facts.yaml)"
    )


class SettingsModel(Strict):
    """API server flags; they override those of the profile, null removes a flag."""

    audit_log: dict[str, str | None] = Field(
        default={}, alias="auditLog", description="--audit-log-* flags, by the last part of their name"
    )
    flags: dict[str, str | None] = Field(default={}, description="other flags, without the dashes")


class ServerModel(SettingsModel):
    """The API server that the cases of the file need."""

    sabotage: SettingsModel | None = Field(
        default=None, description="deliberately broken flags; the cases must fail with them"
    )


class CaseFileModel(Strict):
    """A case file."""

    OTHER_WORDS: ClassVar[dict[str, str]] = {
        "namespace": "in",
        "identity": "as",
        "action": "do",
        "eviction": "evict",
        "selector": "labelSelector",
    }
    api_version: Literal["auditproof/v1"] = Field(alias="apiVersion")
    kind: Literal["CaseFile"]
    title: str = Field(min_length=1, description="what the cases are about")
    policy: str | None = Field(default=None, description="absent: the policy under test")
    sabotage: str | None = Field(
        default=None, description="a copy of the policy that is broken on purpose (absent: one is derived)"
    )
    server: ServerModel = Field(default=ServerModel(), description="the flags of the API server")
    since: str = Field(
        default="", pattern=f"^$|{MINOR}", description="the first Kubernetes version that accepts the policy"
    )
    identities: dict[str, IdentityModel] = Field(default={}, description="in addition to the ready-made ones")
    given: list[Given] = Field(default=[], description="created by the admin before the first action")
    cases: list[CaseModel] = Field(min_length=1, description="the cases; each one is a test")
