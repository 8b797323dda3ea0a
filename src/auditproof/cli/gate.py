"""``auditproof diff --forbid``: whether a change of a policy may go in."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.cli.acknowledged import add_entries, declare_acknowledged, read_acknowledged, today
from auditproof.cli.arguments import names_in
from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from pathlib import Path

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.audit.policy.load import Policy
    from auditproof.kube.discovery import Served

BLIND = "blind"  # an effect on detection rules, not on requests
OF_THE_GATE = ("only", "detections", "acknowledged", "acknowledge")  # options that mean nothing without --forbid


def declare_gate(parser: ArgumentParser) -> None:
    """Declare the arguments of the gate."""
    gate = parser.add_argument_group("gate")
    gate.add_argument(
        "--forbid", metavar="EFFECT[,EFFECT]", help="effects that must not happen: lost, exposed, more, blind, ..."
    )
    gate.add_argument("--only", metavar="RESOURCE[,RESOURCE]", help="resources to look at (default: all requests)")
    gate.add_argument(
        "--detections",
        metavar="PATH",
        action="append",
        help="detection rules that --forbid blind is about; may be repeated",
    )
    declare_acknowledged(gate, "NEW", "forbidden change")


def through_the_gate(
    old: Policy,
    new: Policy,
    served: Served,
    options: Namespace,
    folder: Path,
    *,
    diff: PolicyDiff | None,
    live: Sequence[str],
) -> tuple[str, int]:
    """Whether the change may go in, as text, and the exit code for that.

    ``diff`` are all differences, which only the JSON form needs; ``live`` is what two servers have shown of each. The
    acknowledged changes are in the file that the options name, otherwise in ``folder``. Raises SourceError for a
    mistake in it, and AuditproofError for an effect or a resource that does not exist.
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

    names = names_in([options.forbid])
    effects = [name for name in names if name != BLIND]
    if (BLIND in names) is not bool(options.detections):
        raise AuditproofError("--forbid blind and --detections PATH need each other: an effect, and the rules")
    forbid = consequences_named(effects) if effects else frozenset()
    only = [selector_of(names_in([options.only]), "--only")] if options.only else []
    file, entries = read_acknowledged(options, folder)
    acknowledged = entries.changes if entries else ()
    result = gate(old, new, served, forbid=forbid, only=only, acknowledged=acknowledged, today=today())
    if BLIND in names:
        result = replace(result, blinded=_blinded(old, new, served, options.detections))
    if options.acknowledge and result.open:
        add_entries(file, "changes", change_entries(result.open))
    code = int(not result.passes)
    if options.format == "json" and diff is not None:
        record = diff_record(diff, live) | {"relation": str(result.relation), "gate": to_record(result, forbid)}
        return json.dumps(record, indent=1, ensure_ascii=False), code
    if options.format == "markdown":
        return render_markdown(result, forbid), code
    return "\n".join([render_text(result, forbid), *live]), code


def _blinded(old: Policy, new: Policy, served: Served, paths: Sequence[str]) -> tuple[str, ...]:
    """The detection rules in files and folders that the change blinds, each with its place and the least change.

    Raises AuditproofError for rules that cannot be read: what is not known to be fed may be blinded.
    """
    from auditproof.detections import Feed, check_detections, load_rules, remedy_text

    rules = load_rules(paths)
    rules.check_read()
    found = check_detections(new, rules.detections, served, old)
    return tuple(
        f"{one.detection.title} ({one.detection.pack}): {one.lost[0].text}; {remedy_text(one.lost[0])}"
        for one in found
        if one.worse and one.feed is Feed.BLIND
    )
