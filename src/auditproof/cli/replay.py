"""``auditproof replay``: what another policy would have made of a recorded log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import POLICY_FORMS, add_format, add_kubernetes, add_policy, add_price
from auditproof.cli.exit_codes import ExitCode
from auditproof.cli.progress import progress
from auditproof.cli.signals import ended_by_signals
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from auditproof.audit.policy.load import Policy
    from auditproof.replay.duckdb_engine import LogRead
    from auditproof.replay.inputs.found import LogFile
    from auditproof.replay.query import PolicyColumns
    from auditproof.replay.result import Replay

EPILOG = """\
replay judges every event of a recorded audit log by POLICY, and shows what the policy would keep, drop, lower and
raise of it: events and bytes by day, rule, resource, verb and user, before and after, and the rules that would save
most.
LOG is a file, a folder, a glob, or the same in a store (s3://, gs://, abfs://); gzip, zstd and every form of log that
`auditproof run --no-actions` reads. Rotated files are read if the folder or a glob is given.
It needs the extra replay: pip install "auditproof[replay]"

--engine spark does the same on a Spark cluster, for logs that one machine is too small for: its workers must see the
files, which are JSON lines as an API server writes them, plain or gzip. It needs the extra spark, and Java 17.

Numbers of what is lowered or dropped are exact. A body that the log does not have, because it was recorded at a lower
level, has no known size: it is bounded by the bodies of the same verb and resource, or said to be unknown. Requests
that were not recorded at all are not in the log; --base names them. What cannot be read is counted and listed, never
skipped. A line counts as often as it is in the log.

examples:
  auditproof replay policies/next.yaml /var/log/kubernetes/audit/
  auditproof replay policies/next.yaml 's3://audit-logs/prod/2026-11-*.gz' --price 0.50/GiB
  auditproof replay policies/next.yaml audit*.log --base policies/prod.yaml --rules detections/ --format markdown
  auditproof replay policies/next.yaml /shared/logs/ --engine spark --master spark://host:7077
"""
EXIT_CODES = {
    ExitCode.FINE: "every line of the log was counted",
    ExitCode.FOUND: "something of the log could not be read: it is listed, and the sums lack it",
    ExitCode.UNUSABLE: "unusable options, a policy or a log that cannot be used, or the extra is not installed",
    ExitCode.NOTHING_SHOWN: "the log has no audit event",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    parser.add_argument("logs", metavar="LOG", nargs="+", help="audit logs: files, folders, globs, or URLs of a store")
    parser.add_argument("--base", metavar="OLD", help=f"audit policy before the change: {POLICY_FORMS}")
    add_price(parser)
    parser.add_argument(
        "--rules",
        metavar="PATH",
        action="append",
        default=[],
        help="files, folders and globs of detection rules: says which ones a saving blinds; may be repeated",
    )
    parser.add_argument(
        "--engine", choices=["duckdb", "spark"], default="duckdb", help="what reads the log (default: duckdb)"
    )
    parser.add_argument(
        "--master", metavar="URL", help="the Spark cluster, such as spark://host:7077 or local[4] (default: local[*])"
    )
    parser.add_argument("--output", metavar="FILE", help="write to this file instead of standard output")
    add_format(parser, ["text", "json", "markdown"])
    add_kubernetes(parser)


def execute(options: Namespace) -> int:
    """Replay the log, and write the result.

    Raises AuditproofError if a policy, a log or the extra is missing, or the output cannot be written.
    """
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.replay.extra import require_replay
    from auditproof.replay.render import FORMATS

    require_replay("duckdb", "sqlglot")
    files, here = PolicyFiles(), Path.cwd()
    policy = files.load_given(options.policy, here, kubernetes=options.kubernetes)
    base = files.load_given(options.base, here, kubernetes=options.kubernetes) if options.base else None
    with ended_by_signals():
        found = _replayed(options, policy, base)
    text = FORMATS[options.format](found, options.price)
    if options.output:
        _write(options.output, text)
    else:
        (output.tell_json if options.format == "json" else output.tell)(text)
    if not found.recorded.events:
        return ExitCode.NOTHING_SHOWN
    return ExitCode.FOUND if found.not_counted else ExitCode.FINE


def _replayed(options: Namespace, policy: Policy, base: Policy | None) -> Replay:
    from dataclasses import replace

    from auditproof.detections import load_rules
    from auditproof.kube.discovery import load_served
    from auditproof.replay.candidates import candidates
    from auditproof.replay.consequences import blinded_by, classes, not_fed
    from auditproof.replay.inputs.found import find_logs
    from auditproof.replay.query import PolicyColumns
    from auditproof.replay.summary import summarize

    rules = load_rules(options.rules) if options.rules else None
    served = load_served(options.kubernetes)
    logs = find_logs(options.logs)
    new, old = PolicyColumns(policy), PolicyColumns(base, "_base") if base else None
    with _read(options, logs.files, [one for one in (new, old) if one]) as read:
        found = summarize(
            read.sums,
            new,
            old,
            read.troubles.all(),
            files=read.files,
            forms=dict(read.forms),
            others=dict(read.others),
            remarks=logs.remarks,
        )
        blinded = blinded_by(policy, rules.detections, served) if rules else None
        best = candidates(read.sums, blinded)
    lost, starts = classes(base, policy, served) if base else ((), ())
    blind = not_fed(policy, rules.detections, served, base) if rules else None
    remarks = [f"{one.position}: detection rule NOT READ: {one.title}" for one in rules.not_read] if rules else []
    return replace(found, candidates=best, lost=lost, starts=starts, blinded=blind, remarks=(*found.remarks, *remarks))


def _read(
    options: Namespace, files: Sequence[LogFile], policies: Sequence[PolicyColumns]
) -> AbstractContextManager[LogRead]:
    """The log, read by the engine of the options."""
    if options.engine == "spark":
        from auditproof.replay import spark_engine

        return spark_engine.read_log(files, policies, progress, master=options.master or "local[*]")
    if options.master is not None:
        raise AuditproofError("--master needs --engine spark")
    from auditproof.replay import duckdb_engine

    return duckdb_engine.read_log(files, policies, progress)


def _write(name: str, text: str) -> None:
    from auditproof.text.printable import printable_lines

    try:
        Path(name).write_text(printable_lines(text) + "\n", encoding="utf-8")
    except OSError as error:
        raise AuditproofError(f"{name}: cannot be written: {error.strerror}") from None
