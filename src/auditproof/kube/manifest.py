"""Manifests: the objects that must be there before anything is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class BadManifest(ValueError):
    """An object that no API server could take; the message says where and what is missing."""


def load_manifest(path: Path) -> tuple[Mapping[str, Any], ...]:
    """All objects of a manifest file, in order; empty documents are skipped.

    Raises BadManifest.
    """
    try:
        documents = list(yaml.load_all(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadManifest(f"the manifest {path} cannot be read: {error}") from None
    found = [document for document in documents if document is not None]
    try:
        return tuple(check_object(document) for document in found)
    except BadManifest as bad:
        raise BadManifest(f"{path}: {bad}") from None


def check_object(value: Any) -> Mapping[str, Any]:
    """``value``, if it has what every object needs.

    Raises BadManifest.
    """
    if not isinstance(value, dict):
        raise BadManifest(f"expected an object with apiVersion, kind and metadata, got {value!r}")
    missing = [key for key in ("apiVersion", "kind") if not isinstance(value.get(key), str)]
    if not isinstance(value.get("metadata"), dict) or not value["metadata"].get("name"):
        missing.append("metadata.name")
    if missing:
        raise BadManifest(f"an object of kind {value.get('kind')!r} lacks {', '.join(missing)}")
    return value
