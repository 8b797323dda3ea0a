"""What every part of results.json is made of: strict numbers, optional keys, and objects with camel-case keys."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

# pydantic would read "1", 1.0 and true as the integer 1, which no schema does.
Integer = Annotated[int, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
Line = Annotated[int, Field(strict=True, ge=1)]
Number = Annotated[float, Field(strict=True)]
Amount = Annotated[float, Field(strict=True, ge=0)]
Flag = Annotated[bool, Field(strict=True)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Texts = tuple[str, ...]


def absent(default: Any, description: str, **constraints: Any) -> Any:
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
