"""``auditproof sql``: a policy as SQL, for a log in a warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cli.arguments import add_kubernetes, add_policy, load_given
from auditproof.cli.exit_codes import ExitCode
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

DIALECTS = ("duckdb", "spark", "trino", "athena", "bigquery", "clickhouse", "snowflake")
EPILOG = """\
sql prints the policy as one expression over the columns of an audit event: which rule decides, at which level, and
whether the stage is omitted. With --table it prints a complete SELECT over a table that has the JSON text of one event
in the column `event`. A comment says whether this dialect was run in auditproof's tests (DuckDB, Spark, ClickHouse),
or only parsed.
It needs the extra replay: pip install "auditproof[replay]"

examples:
  auditproof sql policies/next.yaml --dialect athena
  auditproof sql policies/next.yaml --dialect bigquery --table audit.events > judged.sql
"""
EXIT_CODES = {
    ExitCode.FINE: "the SQL was printed",
    ExitCode.UNUSABLE: "unusable options, a policy that cannot be used, or the extra is not installed",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    parser.add_argument("--dialect", choices=DIALECTS, default="duckdb", help="SQL of which engine (default: duckdb)")
    parser.add_argument("--table", metavar="NAME", help="print a SELECT over this table instead of the expression")
    add_kubernetes(parser)


def execute(options: Namespace) -> int:
    """Print the SQL.

    Raises AuditproofError if the policy cannot be used or the extra is not installed.
    """
    from auditproof.replay.extra import require_replay

    require_replay("sqlglot")
    from auditproof.replay.warehouse import expression, select

    policy = load_given(options.policy, options.kubernetes)
    if options.table:
        output.write_for_programs(select(policy, options.dialect, options.table))
    else:
        output.write_for_programs(expression(policy, options.dialect))
    return ExitCode.FINE
