"""What a change of the policy does: the differences from the base policy, each shown on a server of either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.analysis.diff import to_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditproof.analysis.diff import PolicyDiff


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A difference; ``old`` and ``new`` are the proofs on a server of either policy, or None with the ``reason``."""

    kind: str
    text: str
    who: str
    verbs: str
    what: str
    where: str
    rules: str
    asked: str
    reason: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None


def proof_name(number: int) -> str:
    """What the proof of a difference is called, below either policy; differences are counted from 1."""
    return f"change-{number:02}"


def change_record(diff: PolicyDiff) -> dict[str, Any]:
    """The differences as plain data, each with the ids of its two proofs."""
    record = to_record(diff)
    for number, change in enumerate(record["changes"], 1):
        ids = {side: f"{record[side]['path']}::{proof_name(number)}" for side in ("old", "new")}
        change["proofs"] = ids if "uri" in change["witness"] else {}
    return {key: record[key] for key in ("old", "new", "changes")}


def change_rows(report: Mapping[str, Any]) -> list[ChangeRow]:
    """The rows of "what this change does", worst first; empty where there is no base or nothing changes."""
    proofs = {proof["id"]: proof for proof in report["proofs"]}
    return [_row(change, proofs) for change in report.get("change", {"changes": ()})["changes"]]


def _row(change: Mapping[str, Any], proofs: Mapping[str, Mapping[str, Any]]) -> ChangeRow:
    witness, ids = change["witness"], change["proofs"]
    asked = f"{witness['method']} {witness['uri']}" if "uri" in witness else ""
    return ChangeRow(
        kind=change["kind"],
        text=change["text"],
        who=change["who"] + (" (by a forged credential)" if change["forged"] else ""),
        verbs=change["verbsText"],
        what=change["what"] + ("" if change["served"] else " (answered 404 or 405)"),
        where="; ".join(filter(None, [change["where"], *change.get("odd", ())])),
        rules=f"{_rules(change, 'old')} → {_rules(change, 'new')}",
        asked=asked,
        reason=witness.get("reason", "") or "not performed",
        old=proofs.get(ids.get("old", "")),
        new=proofs.get(ids.get("new", "")),
    )


def _rules(change: Mapping[str, Any], side: str) -> str:
    named = dict.fromkeys(
        f"{pair[side]['rule'] + 1} (line {pair[side]['line']})" if pair[side] else "no rule" for pair in change["rules"]
    )
    return ", ".join(named)


NAMED = 3  # kinds of request that the sentence names, of each kind of change


def change_sentence(report: Mapping[str, Any]) -> str:
    """What the change does, in a sentence; empty without a base policy."""
    change = report.get("change")
    if change is None:
        return ""
    kinds: dict[str, list[str]] = {}
    for row in change["changes"]:
        kinds.setdefault(row["kind"], []).append(_kind_of_request(row))
    if not kinds:
        return f"Nothing is recorded differently from {change['old']['path']}."
    told = " ".join(f"{kind.capitalize()}: {_named(requests)}." for kind, requests in kinds.items())
    return f"What changes against {change['old']['path']}? {told}"


def _kind_of_request(row: Mapping[str, Any]) -> str:
    """A difference in a few words: who is left out where it is everybody."""
    who = "" if row["who"] in ("", "everybody") else f" by {row['who']}"
    return " ".join(filter(None, (f"{row['verbsText']} of {row['what']}", row["where"]))) + who


def _named(requests: list[str]) -> str:
    unnamed = len(requests) - NAMED
    return "; ".join(requests[:NAMED]) + (f"; and {unnamed} more" if unnamed > 0 else "")


def change_is_shown(report: Mapping[str, Any]) -> bool:
    """Whether every difference of the policies was shown on servers of both, and none of it otherwise than computed."""
    rows = change_rows(report)
    return bool(rows) and all(
        row.old and row.new and row.old["verdict"] == row.new["verdict"] == "PROVEN" for row in rows
    )
