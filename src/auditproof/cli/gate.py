"""``auditproof diff --forbid``: whether a change of a policy may go in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import names_in
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.analysis.gate import Forbidden
    from auditproof.kube.discovery import Served

OF_THE_GATE = ("only", "acknowledged", "acknowledge")  # options that mean nothing without --forbid


def declare_gate(parser: ArgumentParser) -> None:
    """Declare the arguments of the gate."""
    gate = parser.add_argument_group("gate")
    gate.add_argument(
        "--forbid", metavar="EFFECT[,EFFECT]", help="effects that must not happen: lost, exposed, more, ..."
    )
    gate.add_argument("--only", metavar="RESOURCE[,RESOURCE]", help="resources to look at (default: all requests)")
    gate.add_argument(
        "--acknowledged",
        metavar="FILE",
        help="approved changes (default: audit-changes.yaml next to NEW, if it exists)",
    )
    gate.add_argument(
        "--acknowledge", action="store_true", help="append an entry to fill in for each forbidden change to that file"
    )


def through_the_gate(
    found: PolicyDiff, served: Served, live: Sequence[str], options: Namespace, folder: Path
) -> tuple[str, int]:
    """Whether the change may go in, as text, and the exit code for that.

    ``live`` is what two servers have shown of each difference. The acknowledged changes are in the file that the
    options name, otherwise in ``folder``. Raises SourceError for a mistake in it, and AuditproofError for an effect or
    a resource that does not exist.
    """
    from datetime import UTC, datetime

    from auditproof.analysis.diff import to_record as diff_record
    from auditproof.analysis.gate import (
        FILE,
        consequences_named,
        gate,
        load_acknowledged,
        render_markdown,
        render_text,
        to_record,
    )
    from auditproof.analysis.requirements.selectors import selector_of

    forbid = consequences_named(names_in([options.forbid]))
    only = [selector_of(names_in([options.only]), "--only")] if options.only else []
    file = Path(options.acknowledged) if options.acknowledged else folder / FILE
    acknowledged = load_acknowledged(file) if options.acknowledged or file.is_file() else ()
    today = datetime.now(UTC).date()
    result = gate(found.old, found.new, served, forbid=forbid, only=only, acknowledged=acknowledged, today=today)
    if options.acknowledge and result.open:
        _write_entries(file, result.open)
    code = int(not result.passes)
    if options.format == "json":
        record = diff_record(found, live) | {"relation": str(result.relation), "gate": to_record(result, forbid)}
        return json.dumps(record, indent=1, ensure_ascii=False), code
    if options.format == "markdown":
        return render_markdown(result, forbid), code
    return "\n".join([render_text(result, forbid), *live]), code


def _write_entries(file: Path, changes: Sequence[Forbidden]) -> None:
    """Append an entry for each change to the file of acknowledged changes. Raises AuditproofError if it cannot."""
    from auditproof.analysis.gate import HEAD, entries_for

    try:
        before = file.read_text(encoding="utf-8") if file.exists() else HEAD
        file.write_text(f"{before.rstrip()}\n{entries_for(changes)}", encoding="utf-8")
    except OSError as error:
        raise AuditproofError(f"{file} cannot be written: {error.strerror}") from None
    output.complain(f"auditproof: {len(changes)} entries added to {file}: say why, and who approved, in each of them")
