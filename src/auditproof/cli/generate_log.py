"""``auditproof generate-log``: realistic audit logs of any size, for tests and measurements."""

from __future__ import annotations

import argparse
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import POLICY_FORMS, add_kubernetes, load_given
from auditproof.cli.exit_codes import ExitCode
from auditproof.cli.progress import progress
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from auditproof.audit.policy.load import Policy
    from auditproof.replay.generator import Generator

EPILOG = """\
The log is what an API server with this policy would have written: levels, stages and bodies follow the policy. The
cluster is invented: kubelets, controllers, the scheduler, probes and, unless --at rest, people with kubectl, operators,
deployments, jobs, monitoring, failing and refused requests, with more of them in working hours. Nobody's data is in it.
The same options and the same seed give the same bytes.

--events ends the log after so many lines, --days after so many days. With both, everything happens slower or faster
than in a real cluster, so that so many events take about so many days: a week in a small file.

examples:
  auditproof generate-log --events 100000 --seed 1 --output audit.log
  auditproof generate-log --events 50000 --days 7 --policy policies/prod.yaml --output week.log.gz --gzip
  auditproof generate-log --days 1 --nodes 50 --output logs/ --max-size 100 --gzip
  auditproof generate-log --events 1000 --at rest | jq -r .requestURI | sort | uniq -c
"""
EXIT_CODES = {
    ExitCode.FINE: "the log is written",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C: the log ends earlier",
    ExitCode.UNUSABLE: "unusable options, a policy that cannot be used or records nothing, or no place to write",
}
MOST = 10**12
EVERYTHING = b'{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}'


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--events", metavar="N", type=_count, help="end after so many lines")
    parser.add_argument("--days", metavar="D", type=_days, help="end after so many days; may be a fraction")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="another number is another log (default: 0)")
    parser.add_argument(
        "--policy", metavar="POLICY", help=f"audit policy (default: Metadata for everything): {POLICY_FORMS}"
    )
    parser.add_argument("--at", choices=["rest", "work"], default="work", help="whether it is used (default: work)")
    parser.add_argument("--nodes", metavar="N", type=_count, default=3, help="nodes of the cluster (default: 3)")
    parser.add_argument("--namespaces", metavar="N", type=_count, default=6, help="with applications (default: 6)")
    parser.add_argument(
        "--begin",
        metavar="TIME",
        type=_moment,
        default="2026-01-05T00:00:00Z",
        help="first moment (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        metavar="FILE|FOLDER/",
        help="where to write; a folder gets rotated files (default: standard output)",
    )
    parser.add_argument(
        "--max-size", metavar="MB", type=_count, default=100, help="of a file in a folder (default: 100)"
    )
    parser.add_argument("--gzip", action="store_true", help="compress the file, or the rotated files of the folder")
    parser.add_argument("--metrics", metavar="FILE", help="also write the counters of the API server, for forecast")
    add_kubernetes(parser)


def execute(options: Namespace) -> int:
    """Generate the log, and write it.

    Raises AuditproofError if the policy records nothing, or the log cannot be written.
    """
    from auditproof.replay.generator import Generator, LogSettings

    if options.events is None and options.days is None:
        raise AuditproofError("say how long the log is: --events 100000, --days 7, or both")
    if options.gzip and options.output is None:
        raise AuditproofError("--gzip needs --output: standard output is text")
    settings = LogSettings(
        _policy(options),
        options.begin,
        options.seed,
        options.events,
        options.days,
        options.at == "work",
        options.nodes,
        options.namespaces,
    )
    generator = Generator(settings)
    for written in _written(options, generator):
        progress(f"{written:,} events")
    progress("")
    if options.metrics is not None:
        _write_metrics(Path(options.metrics), generator)
    return ExitCode.FINE


def _write_metrics(path: Path, generator: Generator) -> None:
    from auditproof.replay.generator.counters import prometheus_text

    text = prometheus_text(generator)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AuditproofError(f"{path}: the metrics cannot be written: {error.strerror}") from None


def _policy(options: Namespace) -> Policy:
    from auditproof.audit.policy.load import parse_policy

    if options.policy is None:
        return parse_policy(EVERYTHING, "Metadata for everything")
    return load_given(options.policy, options.kubernetes)


def _written(options: Namespace, generator: Generator) -> Iterator[int]:
    """Write the log; gives the number of lines so far."""
    from auditproof.replay.generator.parts import chunks, write_file, write_folder

    lines = generator.lines()
    if options.output is None:
        for several in chunks(lines):
            output.write("".join(several))
            yield generator.events
    elif options.output.endswith("/") or Path(options.output).is_dir():
        yield from write_folder(Path(options.output), lines, options.max_size * 10**6, compressed=options.gzip)
    else:
        yield from write_file(Path(options.output), lines, compressed=options.gzip)


def _count(text: str) -> int:
    """A number of things, such as 100000 or 100_000.

    Raises ArgumentTypeError if it is none.
    """
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 0 < number <= MOST:
        raise argparse.ArgumentTypeError(f"invalid number {text!r} (expected a whole number from 1 to 10^12)")
    return number


def _days(text: str) -> float:
    """A number of days. Raises ArgumentTypeError if it is none."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= 3660:
        raise argparse.ArgumentTypeError(
            f"invalid number of days {text!r} (expected one such as 7 or 0.5, at most 3660)"
        )
    return number


def _moment(text: str) -> datetime:
    """A moment in UTC. Raises ArgumentTypeError if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid time {text!r} (expected one such as 2026-01-05T00:00:00Z)") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
