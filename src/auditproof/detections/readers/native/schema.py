"""The format of a file of detection rules, as strict pydantic models. Used only by ``read``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from auditproof.kube.yaml.strict_model import Strict

Scalar = str | int | float | bool


class TestModel(Strict):
    """How a value is compared; several keys must all be true, and one of several values of a key."""

    __test__ = False  # pytest collects no class of this name

    equals: Scalar | list[Scalar] | None = None
    contains: str | list[str] | None = None
    starts_with: str | list[str] | None = Field(default=None, alias="startsWith")
    ends_with: str | list[str] | None = Field(default=None, alias="endsWith")
    wildcard: str | list[str] | None = Field(default=None, description="* for any characters, ? for one")
    regex: str | list[str] | None = Field(default=None, description="found anywhere in the value")
    cidr: str | list[str] | None = Field(default=None, description="a network of IP addresses")
    lt: int | float | None = None
    lte: int | float | None = None
    gt: int | float | None = None
    gte: int | float | None = None
    exists: bool | None = None
    ignore_case: bool = Field(default=False, alias="ignoreCase")
    every: bool = Field(default=False, description="of a list, all elements must meet the test, and there is one")


class DetectionModel(Strict):
    """One rule; exactly one of ``when`` and ``steps``."""

    id: str = Field(min_length=1)
    title: str = ""
    severity: str = ""
    tags: list[str] = Field(default=[])
    enabled: bool = True
    when: dict[str, Any] | None = Field(default=None, description="all, any, not, and tests of fields")
    steps: list[dict[str, Any]] = Field(default=[], description="conditions of which each needs an event of its own")


class DetectionsModel(Strict):
    """A file of detection rules."""

    api_version: Literal["auditproof/v1"] = Field(alias="apiVersion")
    kind: Literal["Detections"]
    title: str = ""
    fields: dict[str, str] = Field(default={}, description="own names for paths of fields")
    detections: list[DetectionModel] = Field(min_length=1)
