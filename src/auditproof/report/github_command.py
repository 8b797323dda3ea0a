"""Workflow commands of GitHub Actions, which become annotations of a file.

Source of the form and its escapes: packages/core/src/command.ts of actions/toolkit.
"""

from __future__ import annotations

from auditproof.text.printable import printable, printable_lines


def github_command(name: str, text: str, **properties: object) -> str:
    """``name`` is error, warning or notice; ``properties`` are file, line, col and title."""
    named = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    data = printable_lines(text).replace("%", "%25").replace("\n", "%0A")
    return f"::{name} {named}::{data}"


def _property(text: str) -> str:
    return printable(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
