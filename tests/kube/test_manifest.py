"""Manifests: objects that know where they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.kube.manifest import BadManifest, load_manifest, named

if TYPE_CHECKING:
    from pathlib import Path

TWO = """\
# the shop
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
"""


def test_every_object_of_a_file_knows_its_line_and_is_an_ordinary_mapping(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(TWO)

    namespace, settings = load_manifest(path)

    assert namespace == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    assert (namespace.position.line, settings.position.line) == (2, 7)
    assert named(namespace) == "the Namespace shop"
    assert named(settings) == "the ConfigMap shop/settings"


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "\x00", "kind: Pod\n", "a: &a [*a]\n"])
def test_what_is_no_object_is_told_with_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)

    with pytest.raises(BadManifest, match=r"bad\.yaml"):
        load_manifest(path)
