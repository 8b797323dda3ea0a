"""The format of a requirements file, as strict pydantic models. Used only by ``load``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from auditproof.kube.yaml.strict_model import Strict

if TYPE_CHECKING:
    from pydantic.config import JsonDict

SLUG = r"^[a-z0-9][a-z0-9-]*$"
ONE_KEY: JsonDict = {"minProperties": 1, "maxProperties": 1}  # for editors; ``load`` says it in words
LevelName = Literal["None", "Metadata", "Request", "RequestResponse"]
StageName = Literal["RequestReceived", "ResponseStarted", "ResponseComplete"]


class SelectorModel(Strict):
    """Selects requests; conditions mean what they mean in a policy rule, an absent one does not restrict."""

    users: list[str] = Field(default=[], description="user names, word for word; a * is no wildcard")
    user_groups: list[str] = Field(
        default=[], alias="userGroups", description="groups, word for word; one of them is enough"
    )
    verbs: list[str] = Field(default=[], description="API verbs in lower case, such as get; absent: all of them")
    namespaces: list[str] = Field(
        default=[], description='namespaces, word for word; "" is that of cluster-scoped resources'
    )
    resources: list[str] = Field(default=[], description="resource[.group][/subresource]; * for all of them")
    resource_names: list[str] = Field(
        default=[], alias="resourceNames", description="names of objects, word for word; needs resources"
    )
    non_resource_urls: list[Annotated[str, Field(pattern=r"^(/[^*]*\*?|\*)$")]] = Field(
        default=[], alias="nonResourceURLs", description="paths that are no resources; * at the end for anything"
    )
    failed_logins: bool = Field(default=False, alias="failedLogins", description="failed logins, which get 401")
    through: list[str] = Field(
        default=[], description="the built-in controllers that act for objects of these resources, e.g. deployments"
    )


class ReferenceModel(Strict):
    """A policy that says how much must be recorded."""

    policy: str = Field(min_length=1, description="FILE, relative to this file; FILE#PLACE; or git:REF:PATH")


# Distinguished by hand, so that a mistake is reported once, and not once for each alternative.
LevelOrPolicy = Annotated[
    Annotated[LevelName, Tag("Level")] | Annotated[ReferenceModel, Tag("Policy")],
    Discriminator(lambda value: "Policy" if isinstance(value, dict | ReferenceModel) else "Level"),
]


class LevelModel(Strict):
    """The permitted levels; exactly one of the keys."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    at_least: LevelOrPolicy | None = Field(
        default=None, alias="atLeast", description="this level or more; or a policy, which says how much"
    )
    at_most: LevelName | None = Field(default=None, alias="atMost", description="this level or less")
    exactly: LevelName | None = Field(default=None, description="this level, no less and no more")
    one_of: list[LevelName] = Field(default=[], alias="oneOf", description="any of these levels")


class StagesModel(Strict):
    """The permitted stages of what is recorded; exactly one of the keys."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    at_least: list[StageName] = Field(default=[], alias="atLeast", description="these stages, and maybe others")
    at_most: list[StageName] = Field(default=[], alias="atMost", description="no other stages than these")
    exactly: list[StageName] = Field(default=[], description="these stages and no others")


class RequirementModel(Strict):
    """One requirement: a statement about every request that it selects."""

    id: str = Field(pattern=SLUG, description="its name in reports, which no other requirement of the file has")
    title: str = Field(min_length=1, description="what must be recorded, in one sentence")
    for_: list[SelectorModel] = Field(alias="for", min_length=1, description="requests that any of these selects")
    except_: list[SelectorModel] = Field(default=[], alias="except", description="requests to leave out")
    level: LevelModel
    stages: StagesModel | None = Field(default=None, description="the stages at which what is recorded has events")
    because: str = Field(min_length=1, description="why it matters")
    source: str = Field(min_length=1, description="who asks for it: a standard with its section, or a team")


class RequirementsModel(Strict):
    """A requirements file."""

    api_version: Literal["auditproof/v1"] = Field(alias="apiVersion")
    kind: Literal["Requirements"]
    title: str = Field(min_length=1, description="the name of the whole file in reports")
    except_: list[SelectorModel] = Field(
        default=[], alias="except", description="what no requirement in this file covers"
    )
    requirements: list[RequirementModel] = Field(min_length=1, description="the requirements; each is checked apart")
