"""``auditproof diff --forbid``: whether a change of a policy may go in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from auditproof.cli.acknowledged import add_entries, declare_acknowledged, read_acknowledged, today
from auditproof.cli.arguments import names_in

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from pathlib import Path

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.kube.discovery import Served

OF_THE_GATE = ("only", "acknowledged", "acknowledge")  # options that mean nothing without --forbid


def declare_gate(parser: ArgumentParser) -> None:
    """Declare the arguments of the gate."""
    gate = parser.add_argument_group("gate")
    gate.add_argument(
        "--forbid", metavar="EFFECT[,EFFECT]", help="effects that must not happen: lost, exposed, more, ..."
    )
    gate.add_argument("--only", metavar="RESOURCE[,RESOURCE]", help="resources to look at (default: all requests)")
    declare_acknowledged(gate, "NEW", "forbidden change")


def through_the_gate(
    found: PolicyDiff, served: Served, live: Sequence[str], options: Namespace, folder: Path
) -> tuple[str, int]:
    """Whether the change may go in, as text, and the exit code for that.

    ``live`` is what two servers have shown of each difference. The acknowledged changes are in the file that the
    options name, otherwise in ``folder``. Raises SourceError for a mistake in it, and AuditproofError for an effect or
    a resource that does not exist.
    """
    from auditproof.analysis.diff import to_record as diff_record
    from auditproof.analysis.gate import (
        change_entries,
        consequences_named,
        gate,
        render_markdown,
        render_text,
        to_record,
    )
    from auditproof.analysis.requirements.selectors import selector_of

    forbid = consequences_named(names_in([options.forbid]))
    only = [selector_of(names_in([options.only]), "--only")] if options.only else []
    file, entries = read_acknowledged(options, folder)
    acknowledged = entries.changes if entries else ()
    result = gate(found.old, found.new, served, forbid=forbid, only=only, acknowledged=acknowledged, today=today())
    if options.acknowledge and result.open:
        add_entries(file, "changes", change_entries(result.open))
    code = int(not result.passes)
    if options.format == "json":
        record = diff_record(found, live) | {"relation": str(result.relation), "gate": to_record(result, forbid)}
        return json.dumps(record, indent=1, ensure_ascii=False), code
    if options.format == "markdown":
        return render_markdown(result, forbid), code
    return "\n".join([render_text(result, forbid), *live]), code
