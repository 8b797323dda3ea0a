"""What a change of the policy does: the differences from the base policy, each tested on two servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.diff import to_record
from auditproof.analysis.diff.change import ChangeKind
from auditproof.proof.generated import change_id
from auditproof.proof.verdict import Outcome
from auditproof.report.model import ChangeRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.report.model import ChangeRow, ProofRecord, Report, RuleRef


@dataclass(frozen=True, slots=True)
class ChangeShown:
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
    old: ProofRecord | None
    new: ProofRecord | None


def change_record(diff: PolicyDiff) -> ChangeRecord:
    """The differences, each with the ids of its two proofs."""
    record = to_record(diff)
    for number, change in enumerate(record["changes"], 1):
        ids = {side: f"{record[side]['path']}::{change_id(number)}" for side in ("old", "new")}
        change["proofs"] = ids if "uri" in change["witness"] else {}
    return ChangeRecord.model_validate(record)


def change_rows(report: Report) -> list[ChangeShown]:
    """The rows of "what this change does", worst first; empty where there is no base or nothing changes."""
    proofs = {proof.id: proof for proof in report.proofs}
    return [_row(change, proofs) for change in (report.change.changes if report.change else ())]


def _row(change: ChangeRow, proofs: Mapping[str, ProofRecord]) -> ChangeShown:
    witness = change.witness
    return ChangeShown(
        kind=change.kind,
        text=change.text,
        who=change.who + (" (by a forged credential)" if change.forged else ""),
        verbs=change.verbs_text,
        what=change.what + ("" if change.served else " (response 404 or 405)"),
        where="; ".join(
            filter(None, [change.where, *change.odd, f"on Kubernetes {change.kubernetes}" if change.kubernetes else ""])
        ),
        rules=f"{_rules(pair.old for pair in change.rules)} → {_rules(pair.new for pair in change.rules)}",
        asked=f"{witness.method} {witness.uri}" if witness.uri else "",
        reason=witness.reason or "not performed",
        old=proofs.get(change.proofs.old),
        new=proofs.get(change.proofs.new),
    )


def _rules(rules: Iterable[RuleRef | None]) -> str:
    return ", ".join(dict.fromkeys(f"{rule.rule + 1} (line {rule.line})" if rule else "no rule" for rule in rules))


NAMED = 3  # kinds of requests that the sentence names, for each kind of change
LONGEST = 400  # characters of a sentence that names them; a longer one counts them instead
_VERBS = {
    ChangeKind.STOPS: "no longer records",
    ChangeKind.LOSES_BODIES: "records fewer bodies of",
    ChangeKind.STARTS_BODIES: "records more bodies of",
    ChangeKind.LOSES_STAGES: "records fewer stages of",
    ChangeKind.STARTS: "newly records",
    ChangeKind.GAINS_STAGES: "records more stages of",
    ChangeKind.MANAGED_FIELDS: "changes managedFields in bodies of",
}


def change_sentence(report: Report) -> str:
    """What the change does, in a few words; empty without a base policy."""
    change = report.change
    if change is None:
        return ""
    kinds: dict[str, list[str]] = {}
    for row in change.changes:
        who = "" if row.who in ("", "everybody") else f" by {row.who}"
        if (
            request := (" ".join(filter(None, (f"{row.verbs_text} of {row.what}", row.where))) + who)
        ) not in kinds.setdefault(row.kind, []):  # on several versions
            kinds[row.kind].append(request)
    if not kinds:
        return f"Nothing is recorded differently from {change.old.path}."
    begin = f"Compared with {change.old.path}, this policy "
    named = begin + ". It ".join(f"{_verb(kind)} {_named(requests)}" for kind, requests in kinds.items()) + "."
    if len(named) <= LONGEST:
        return named
    return begin + ", ".join(f"{_verb(kind)} {_counted(len(requests))}" for kind, requests in kinds.items()) + "."


def _verb(kind: str) -> str:
    return _VERBS[ChangeKind(kind)] if kind in set(ChangeKind) else f"({kind})"


def _counted(requests: int) -> str:
    return "1 kind of request" if requests == 1 else f"{requests} kinds of requests"


def _named(requests: list[str]) -> str:
    unnamed = len(requests) - NAMED
    return "; ".join(requests[:NAMED]) + (f"; and {unnamed} more" if unnamed > 0 else "")


def change_is_shown(report: Report) -> bool:
    """Whether every difference of the policies was shown on servers of both, and none of it otherwise than computed."""
    rows = change_rows(report)
    return bool(rows) and all(
        row.old and row.new and row.old.verdict is row.new.verdict is Outcome.PROVEN for row in rows
    )
