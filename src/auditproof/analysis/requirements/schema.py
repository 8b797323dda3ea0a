"""The format of a requirements file, as strict pydantic models. Used only by ``load``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from auditproof.kube.yaml.strict_model import Strict

SLUG = r"^[a-z0-9][a-z0-9-]*$"
LevelName = Literal["None", "Metadata", "Request", "RequestResponse"]
StageName = Literal["RequestReceived", "ResponseStarted", "ResponseComplete"]


class SelectorModel(Strict):
    """Selects requests; conditions mean what they mean in a policy rule, an absent one does not restrict."""

    users: list[str] = Field(default=[])
    user_groups: list[str] = Field(default=[], alias="userGroups")
    verbs: list[str] = Field(default=[])
    namespaces: list[str] = Field(default=[])
    resources: list[str] = Field(default=[], description="resource[.group][/subresource]; * for all of them")
    resource_names: list[str] = Field(default=[], alias="resourceNames")
    non_resource_urls: list[Annotated[str, Field(pattern=r"^(/[^*]*\*?|\*)$")]] = Field(
        default=[], alias="nonResourceURLs"
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

    at_least: LevelOrPolicy | None = Field(default=None, alias="atLeast")
    at_most: LevelName | None = Field(default=None, alias="atMost")
    exactly: LevelName | None = None
    one_of: list[LevelName] = Field(default=[], alias="oneOf")


class StagesModel(Strict):
    """The permitted stages of what is recorded; exactly one of the keys."""

    at_least: list[StageName] = Field(default=[], alias="atLeast")
    at_most: list[StageName] = Field(default=[], alias="atMost")
    exactly: list[StageName] = Field(default=[])


class RequirementModel(Strict):
    """One requirement: a statement about every request that it selects."""

    id: str = Field(pattern=SLUG)
    title: str = Field(min_length=1)
    for_: list[SelectorModel] = Field(alias="for", min_length=1, description="requests that any of these selects")
    except_: list[SelectorModel] = Field(default=[], alias="except", description="requests to leave out")
    level: LevelModel
    stages: StagesModel | None = Field(default=None, description="the stages at which what is recorded has events")
    because: str = Field(min_length=1)
    source: str = Field(min_length=1)


class RequirementsModel(Strict):
    """A requirements file."""

    api_version: Literal["auditproof/v1"] = Field(alias="apiVersion")
    kind: Literal["Requirements"]
    title: str = Field(min_length=1)
    except_: list[SelectorModel] = Field(
        default=[], alias="except", description="what no requirement in this file covers"
    )
    requirements: list[RequirementModel] = Field(min_length=1)
