"""A GateResult as text for a terminal, as Markdown for a pull request, and as JSON."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from auditproof.analysis.diff.render import row_lines, rules_data, rules_text, witness_text
from auditproof.analysis.gate.consequence import GROUPS
from auditproof.text.markdown import markdown, markdown_code, written_table
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from auditproof.analysis.gate.acknowledged import Acknowledgement
    from auditproof.analysis.gate.consequence import Consequence
    from auditproof.analysis.gate.gate import Forbidden, GateResult

SHOWN, REMARKS = 20, 5  # in Markdown, so that a comment stays under 60 lines whatever changes


def decision(result: GateResult, forbid: Collection[Consequence]) -> str:
    """The decision in one sentence: whether the change may go in, and why not."""
    words = words_of(forbid)
    known = len(result.forbidden) - len(result.open)
    acknowledged = f"; {_count(known, 'change')} acknowledged" if known else ""
    if result.passes:
        return f"This change may go in: nothing forbidden ({words}) is left{acknowledged}."
    reasons = [f"{_count(len(result.open), 'forbidden change')} ({words}){acknowledged}"] if result.open else []
    reasons += [f"it blinds {_count(len(result.blinded), 'detection rule')}"] if result.blinded else []
    return f"This change may not go in: {'; '.join(reasons)}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def words_of(forbid: Collection[Consequence]) -> str:
    """The words that ``consequences_named`` would take for these."""
    left, words = set(forbid), list[str]()
    for word, some in GROUPS.items():
        if some <= left:
            words.append(word)
            left -= some
    return ", ".join(words)


def render_text(result: GateResult, forbid: Collection[Consequence]) -> str:
    """The decision, the relation of the policies, then a block for each forbidden change, and what entries lack."""
    head = f"{result.old.path} → {result.new.path}: {result.relation} (Kubernetes {result.kubernetes})"
    blocks = [f"{decision(result, forbid)}\n{printable(head)}"]
    blocks += ["\n".join(_block(one)) for one in result.forbidden]
    blocks += ["\n".join(f"FORBIDDEN blind: {name}" for name in result.blinded)] if result.blinded else []
    blocks += ["\n".join(remarks)] if (remarks := list(_remarks(result))) else []
    return "\n\n".join(blocks) + "\n"


def _block(one: Forbidden) -> Iterator[str]:
    word = "acknowledged" if one.acknowledged else "FORBIDDEN"
    yield f"{word} {', '.join(one.consequences)}: {one.change.text}"
    yield from row_lines(one.row, rules_text(one.rules), one.witness)
    for entry in dict.fromkeys(entry for entry in one.by if entry is not None):
        yield f"  {'by':<9}{printable(_entry(entry))}"


def _entry(entry: Acknowledgement) -> str:
    until = f", until {entry.until}" if entry.until else ""
    ticket = f", {entry.ticket}" if entry.ticket else ""
    return f"{entry.approved_by}{ticket}{until}: {entry.because} ({entry.position.path}:{entry.position.line})"


def _remarks(result: GateResult) -> Iterator[str]:
    for entry in result.expired:
        yield printable(f"{entry.position}: this acknowledgement ended on {entry.until}: renew it, or remove it")
    for entry in result.unused:
        yield printable(f"{entry.position}: this acknowledgement covers nothing that is forbidden: remove it")


def render_markdown(result: GateResult, forbid: Collection[Consequence]) -> str:
    """The decision and a table of what is forbidden: at most 20 rows, the worst first, and how many more there are."""
    head = f"{result.old.path} → {result.new.path}: {result.relation} (Kubernetes {result.kubernetes})"
    lines = [f"**{markdown(decision(result, forbid))}**", "", markdown(head)]
    if result.forbidden:
        columns = ["Effect", "Change", "Who", "Verbs", "What", "Rules", "Example", "Acknowledged"]
        lines += ["", *written_table(columns, [_row(one) for one in result.forbidden[:SHOWN]])]
    if (left := len(result.forbidden) - SHOWN) > 0:
        lines += ["", f"{left} more, less severe: see the complete list."]
    for name in result.blinded[:REMARKS]:
        lines += ["", markdown(f"FORBIDDEN blind: {name}")]
    if len(result.blinded) > REMARKS:
        lines += ["", f"{len(result.blinded) - REMARKS} more detection rules are blinded."]
    for remark in islice(_remarks(result), REMARKS):
        lines += ["", markdown(remark)]
    return "\n".join(lines) + "\n"


def _row(one: Forbidden) -> list[str]:
    row = one.row
    what = " ".join(filter(None, [row.product.what, row.product.where]))
    by = "; ".join(_entry(entry) for entry in dict.fromkeys(one.by) if entry is not None)
    cells = [", ".join(one.consequences), one.change.text, row.who, row.product.verbs_text, what, rules_text(one.rules)]
    example = markdown_code(witness_text(one.witness))
    return [*map(markdown, cells), example, markdown(by or "no")]


def to_record(result: GateResult, forbid: Collection[Consequence]) -> dict[str, Any]:
    """The complete result as JSON values."""
    return {
        "forbid": sorted(forbid),
        "passes": result.passes,
        "decision": decision(result, forbid),
        "forbidden": [_forbidden(one) for one in result.forbidden],
        "blinded": list(result.blinded),
        "unused": [_place(entry) for entry in result.unused],
        "expired": [_place(entry) for entry in result.expired],
    }


def _forbidden(one: Forbidden) -> dict[str, Any]:
    row = one.row
    return {
        "effects": [
            {"effect": str(effect), "acknowledged": None if entry is None else _place(entry)}
            for effect, entry in zip(one.consequences, one.by, strict=True)
        ],
        "acknowledged": one.acknowledged,
        "text": one.change.text,
        "who": row.who,
        "verbs": list(row.product.verbs),
        "what": row.product.what,
        "where": row.product.where,
        "resources": list(row.product.resources),
        "paths": list(row.product.paths),
        "rules": rules_data(one.rules),
        "witness": witness_text(one.witness),
    }


def _place(entry: Acknowledgement) -> dict[str, Any]:
    return {
        "because": entry.because,
        "approvedBy": entry.approved_by,
        "ticket": entry.ticket,
        "until": None if entry.until is None else str(entry.until),
        "file": entry.position.path,
        "line": entry.position.line,
    }
