"""The format of a file of acknowledged changes, as strict pydantic models. Used only by ``load``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from auditproof.analysis.gate.consequence import GROUPS
from auditproof.analysis.requirements.schema import SelectorModel  # noqa: TC001 - pydantic reads the annotation
from auditproof.kube.yaml.strict_model import Strict

DATE = r"^\d{4}-\d{2}-\d{2}$"
# For editors; ``load`` says which known effect a misspelt one may be.
Effect = Annotated[str, WithJsonSchema({"type": "string", "enum": list(GROUPS)})]


class AcknowledgementModel(Strict):
    """One acknowledged change: exactly these requests, exactly these effects."""

    requests: list[SelectorModel] = Field(min_length=1, description="requests that any of these selects")
    effects: list[Effect] = Field(min_length=1, description="what may happen to these requests")
    because: str = Field(min_length=1, description="why the change is wanted")
    approved_by: str = Field(alias="approvedBy", min_length=1, description="who has approved it")
    ticket: str = Field(default="", description="the number of the change ticket")
    until: str | None = Field(default=None, pattern=DATE, description="the last day on which it applies")


class KnownUnmetModel(Strict):
    """One requirement that is accepted as unmet."""

    requirement: str = Field(min_length=1, description="FILE/ID, FILE without its suffix, e.g. cis/cis-3-2-1; or ID")
    because: str = Field(min_length=1, description="why the requirement may stay unmet")
    approved_by: str = Field(alias="approvedBy", min_length=1, description="who has approved it")
    ticket: str = Field(default="", description="the number of the change ticket")
    until: str | None = Field(default=None, pattern=DATE, description="the last day on which it applies")


class AcknowledgedChangesModel(Strict):
    """A file of acknowledged changes, and of requirements that are known to be unmet."""

    api_version: Literal["auditproof/v1"] = Field(alias="apiVersion")
    kind: Literal["AcknowledgedChanges"]
    changes: list[AcknowledgementModel] = Field(default=[], description="changes that may go in")
    requirements: list[KnownUnmetModel] = Field(default=[], description="requirements that may stay unmet")
