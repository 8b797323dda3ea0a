"""Whether a test takes one of the plugin's fixtures, and not one of its own project that has the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    import pytest

OF_THE_PLUGIN = "auditproof.plugin.entry"  # the module that declares every fixture


def takes(item: pytest.Item, names: Collection[str]) -> bool:
    """Whether an item takes one of the plugin's fixtures ``names``, also through one that overrides it.

    A project's own fixture of such a name, which does not ask for the plugin's, is none of them.
    """
    known: dict[str, Any] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return any(_reaches(name, known.get(name, ())) for name in names)


def _reaches(name: str, definitions: Any) -> bool:
    """Whether the last definition is the plugin's, or asks for the one that it overrides, and so on."""
    for definition in reversed(definitions):
        if definition.func.__module__ == OF_THE_PLUGIN:
            return True
        if name not in definition.argnames:
            break
    return False
