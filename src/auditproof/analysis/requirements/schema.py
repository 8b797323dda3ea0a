"""The format of a requirements file: models that it is held against, strictly. Nothing past ``load`` sees them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from auditproof.kube.yaml.strict_model import Strict

SLUG = r"^[a-z0-9][a-z0-9-]*$"
LevelName = Literal["None", "Metadata", "Request", "RequestResponse"]


class SelectorModel(Strict):
    """Some requests, by conditions that mean what they mean in a policy's rule; an absent one is no condition."""

    users: list[str] = Field(default=[])
    user_groups: list[str] = Field(default=[], alias="userGroups")
    verbs: list[str] = Field(default=[])
    namespaces: list[str] = Field(default=[])
    resources: list[str] = Field(default=[], description="resource[.group][/subresource]; * for all of them")
    resource_names: list[str] = Field(default=[], alias="resourceNames")
    non_resource_urls: list[Annotated[str, Field(pattern=r"^(/[^*]*\*?|\*)$")]] = Field(
        default=[], alias="nonResourceURLs"
    )
    failed_logins: bool = Field(default=False, alias="failedLogins", description="of requests that are answered 401")


class LevelModel(Strict):
    """Exactly one of the three."""

    at_least: LevelName | None = Field(default=None, alias="atLeast")
    at_most: LevelName | None = Field(default=None, alias="atMost")
    exactly: LevelName | None = None


class RequirementModel(Strict):
    """One for-all."""

    id: str = Field(pattern=SLUG)
    title: str = Field(min_length=1)
    for_: list[SelectorModel] = Field(alias="for", min_length=1, description="the requests that any of these selects")
    except_: list[SelectorModel] = Field(default=[], alias="except", description="but not those")
    level: LevelModel
    because: str = Field(min_length=1)
    source: str = Field(min_length=1)


class RequirementsModel(Strict):
    """A requirements file."""

    api_version: Literal["auditproof/v1"] = Field(alias="apiVersion")
    kind: Literal["Requirements"]
    title: str = Field(min_length=1)
    except_: list[SelectorModel] = Field(default=[], alias="except", description="what no requirement here is about")
    requirements: list[RequirementModel] = Field(min_length=1)
