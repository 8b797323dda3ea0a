"""Reads auditproof's own format: for rules that are code, and for those of other vendors.

Pure, apart from reading the file that it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from auditproof.detections.detection import Detection


def is_native(value: Any) -> bool:
    """Whether a document is a file of this format, correct or not."""
    return isinstance(value, dict) and (value.get("kind") == "Detections" or isinstance(value.get("detections"), list))


def read_native(path: Path, pack: str, table: Mapping[str, str]) -> list[Detection]:
    """Read a file; ``table`` has the user's own names of fields.

    Raises SourceError, which lists all problems with their lines and columns.
    """
    from auditproof.detections.readers.native.read import read_file  # imports pydantic

    return read_file(path, pack, table)
