"""Manifests: the objects that must be there before anything is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from auditproof.errors import Position

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class BadManifest(ValueError):
    """An object that no API server could take; the message says where and what is missing."""


class Manifest(dict[str, Any]):
    """An object to create, which knows where it is written; equal to any other mapping with the same content."""

    def __init__(self, content: Mapping[str, Any], position: Position) -> None:
        super().__init__(content)
        self.position = position


def named(manifest: Mapping[str, Any]) -> str:
    """An object in words: ``the Pod shop/web``."""
    metadata = manifest.get("metadata", {})
    name = "/".join(filter(None, (str(metadata.get("namespace", "")), str(metadata.get("name", "")))))
    return f"the {manifest.get('kind', 'object')} {name}"


def load_manifest(path: Path) -> tuple[Manifest, ...]:
    """All objects of a manifest file, in order, each with its line; empty documents are skipped.

    Raises BadManifest.
    """
    try:
        found = list(_documents(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadManifest(f"the manifest {path} cannot be read: {error}") from None
    try:
        return tuple(Manifest(check_object(document), position) for document, position in found)
    except BadManifest as bad:
        raise BadManifest(f"{path}: {bad}") from None


def _documents(path: Path) -> Iterator[tuple[Any, Position]]:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(path.read_bytes())
    try:
        while loader.check_node():
            node = loader.get_node()
            document = loader.construct_document(node)
            if document is not None:
                yield document, Position(str(path), node.start_mark.line + 1, node.start_mark.column + 1)
    finally:
        loader.dispose()


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
