"""Reads a file of acknowledged changes, reporting every problem with line and column, and writes entries to fill in."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import yaml

from auditproof.analysis.gate.acknowledged import Acknowledgement
from auditproof.analysis.gate.consequence import GROUPS
from auditproof.analysis.gate.schema import AcknowledgedChangesModel
from auditproof.analysis.requirements.selectors import SelectorReader
from auditproof.analysis.space.identities import NAMED
from auditproof.errors import Problem, SourceError
from auditproof.kube.yaml.strict_model import read_model
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from auditproof.analysis.gate.gate import Forbidden
    from auditproof.analysis.gate.schema import AcknowledgementModel
    from auditproof.analysis.space.identities import IdentityClass

FILE = "audit-changes.yaml"  # beside the policy
API_VERSION, KIND = "auditproof/v1", "AcknowledgedChanges"
HEAD = f"apiVersion: {API_VERSION}\nkind: {KIND}\nchanges:\n"
TO_FILL_IN = "TODO"


def load_acknowledged(path: Path) -> tuple[Acknowledgement, ...]:
    """Read a file of acknowledged changes.

    Raises SourceError with every problem: an unknown key, selector or effect, a date that is none, an entry that was
    not filled in, two entries for the same requests and effect.
    """
    model, root = read_model(path, AcknowledgedChangesModel)
    reader = SelectorReader(root)
    problems = reader.problems
    entries: list[Acknowledgement] = []
    known: dict[tuple[str, str], int] = {}
    for number, one in enumerate(model.changes):
        where = ("changes", number)
        for n, selector in enumerate(one.requests):
            if selector.failed_logins:
                message = "an acknowledgement covers failed logins too, unless it names users or groups: remove this"
                problems.append(Problem(root.at((*where, "requests", n, "failedLogins")).position, message))
        for key, problem in _wrong(one):
            problems.append(Problem(root.at((*where, *key)).position, problem))
        line = root.at(where).position.line
        for effect in dict.fromkeys(name for word in one.effects for name in sorted(GROUPS.get(word, ()))):
            same = one.model_dump_json(include={"requests"}), str(effect)
            if known.setdefault(same, line) != line:
                message = f"{effect} of these requests is acknowledged already, in line {known[same]}"
                problems.append(Problem(root.at((*where, "requests")).position, message))
        entries.append(
            Acknowledgement(
                requests=reader.selectors((*where, "requests"), one.requests),
                effects=frozenset(effect for word in one.effects for effect in GROUPS.get(word, ())),
                because=" ".join(one.because.split()),
                approved_by=one.approved_by,
                ticket=one.ticket,
                until=_date(one.until),
                position=root.at(where).position,
            )
        )
    if problems:
        raise SourceError(sorted(problems, key=lambda problem: problem.position))
    return tuple(entries)


def _wrong(one: AcknowledgementModel) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong with an entry apart from its selectors, by key."""
    for n, word in enumerate(one.effects):
        if word not in GROUPS:
            yield ("effects", n), f'unknown effect "{word}"{did_you_mean(word, GROUPS)} (one of {", ".join(GROUPS)})'
    if one.until is not None and _date(one.until) is None:
        yield ("until",), f"{one.until} is no date; expected one such as 2027-01-31"
    for key, text in (("because", one.because), ("approvedBy", one.approved_by)):
        if text.strip().startswith(TO_FILL_IN):
            yield (key,), f"{key} is still to be filled in: say {'why' if key == 'because' else 'who'}"


def _date(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        return None


def entries_for(changes: Iterable[Forbidden]) -> str:
    """Entries for changes, as YAML to be appended to a file of acknowledged changes and filled in.

    Each names the requests of its change as the difference describes them, and what happens to them.
    """
    entries = [
        {
            "requests": _selectors(change),
            "effects": [str(one) for one in change.consequences],
            "because": f"{TO_FILL_IN} ({change.change.text})",
            "approvedBy": TO_FILL_IN,
            "ticket": "",
        }
        for change in changes
    ]
    return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def _selectors(change: Forbidden) -> list[dict[str, list[str]]]:
    """The requests of a change as selectors, as narrow as selectors can be."""
    product = change.row.product
    narrow = {"users": _users(change), "verbs": list(product.verbs)}
    selectors: list[dict[str, list[str]]] = []
    if product.resources:
        selectors.append({"resources": list(change.resources), "namespaces": list(change.namespaces), **narrow})
    if product.paths:
        selectors.append({"nonResourceURLs": list(product.paths), **narrow})
    return [{key: values for key, values in one.items() if values} for one in selectors]


def _users(change: Forbidden) -> list[str]:
    """The users, if all of them are named in a rule; a selector cannot say "except"."""
    classes = [outcome.identity for outcome, _ in change.row.classes]
    return list(dict.fromkeys(name for one in classes for name in one.names)) if all(map(_is_named, classes)) else []


def _is_named(identity: IdentityClass) -> bool:
    return identity.kind == NAMED and not identity.failed
