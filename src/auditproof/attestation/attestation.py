"""What an attestation says: which reference cases were proven when, on which subject. Pure."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from auditproof.attestation.subject import Subject


class Counted(BaseModel):
    """The audit counters of an API server and the events in its whole log, which agreed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str
    events: int
    lines: int


class Attestation(BaseModel):
    """What was proven: the ids of the cases and tests, each with its verdict, and how the counters agreed.

    ``made`` is the end of the run, ``kubernetes`` the version that its servers reported.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    made: datetime
    kubernetes: str
    subject: Subject
    proven: tuple[str, ...] = Field(min_length=1)
    not_supported: tuple[str, ...]
    counting: tuple[Counted, ...] = Field(min_length=1)
