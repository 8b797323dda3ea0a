"""Writes entries to fill in, and adds them to the text of a file of acknowledged changes. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.analysis.gate.load import TO_FILL_IN
from auditproof.analysis.space.identities import NAMED
from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.analysis.gate.gate import Forbidden
    from auditproof.analysis.requirements.baseline import Standing

API_VERSION, KIND = "auditproof/v1", "AcknowledgedChanges"
HEAD = f"apiVersion: {API_VERSION}\nkind: {KIND}\n"
_COMMENT = re.compile(r"\s*(#|$)")


def change_entries(changes: Iterable[Forbidden]) -> list[dict[str, Any]]:
    """Entries for changes, to be filled in.

    Each names the requests of its change as the difference describes them, and what happens to them.
    """
    return [
        {
            "requests": _selectors(change),
            "effects": [str(one) for one in change.consequences],
            "because": f"{TO_FILL_IN} ({change.change.text})",
            "approvedBy": TO_FILL_IN,
            "ticket": "",
        }
        for change in changes
    ]


def requirement_entries(unmet: Iterable[Standing]) -> list[dict[str, Any]]:
    """Entries for requirements that are not met, to be filled in."""
    return [
        {
            "requirement": one.name,
            "because": f"{TO_FILL_IN} ({one.checked.requirement.title})",
            "approvedBy": TO_FILL_IN,
            "ticket": "",
        }
        for one in unmet
    ]


def with_entries(text: str, key: str, entries: list[dict[str, Any]]) -> str:
    """The text of a file of acknowledged changes with more entries in its list ``key``; all else is kept as it is.

    Raises AuditproofError if the list is written in braces on one line, which is left to its author.
    """
    # None writes a list of words on one line, but also an entry that consists of words.
    style = None if any(isinstance(value, list) for entry in entries for value in entry.values()) else False
    written = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=110, default_flow_style=style)
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines() if text.strip() else HEAD.splitlines()
    start = next((n for n, line in enumerate(lines) if re.match(rf"{key}\s*:", line)), None)
    if start is None:
        while lines and not lines[-1].strip():
            lines.pop()
        start = len(lines)
        lines.append(f"{key}:")
    value = lines[start].partition(":")[2]
    if re.match(r"\s*(\[\s*\]|null|~)\s*(#|$)", value):
        lines[start] = f"{key}:"
    elif not _COMMENT.match(value):
        raise AuditproofError(
            f'entries cannot be added to "{key}" in line {start + 1}: write it as a list with one "- " per entry'
        )
    following = (n for n in range(start + 1, len(lines)) if re.match(r"[^\s#-]|---", lines[n]))
    after = next(following, len(lines))
    while after > start + 1 and _COMMENT.match(lines[after - 1]):
        after -= 1  # a comment above the next key is about that one
    indent = next((found[0] for line in lines[start + 1 : after] if (found := re.match(r"\s*(?=- )", line))), "")
    added = [indent + line for line in written.splitlines()]
    return end.join([*lines[:after], *added, *lines[after:], ""])


def _selectors(change: Forbidden) -> list[dict[str, list[str]]]:
    """The requests of a change as selectors, as narrow as selectors can be."""
    product = change.row.product
    # The users, if all of them are named in a rule; a selector cannot say "except".
    classes = [outcome.identity for outcome, _ in change.row.classes]
    users = (
        list(dict.fromkeys(name for one in classes for name in one.names))
        if all(one.kind == NAMED and not one.failed for one in classes)
        else []
    )
    narrow = {"users": users, "verbs": list(product.verbs)}
    selectors: list[dict[str, list[str]]] = []
    if product.resources:
        selectors.append({"resources": list(change.resources), "namespaces": list(change.namespaces), **narrow})
    if product.paths:
        selectors.append({"nonResourceURLs": list(product.paths), **narrow})
    return [{key: values for key, values in one.items() if values} for one in selectors]
