"""``auditproof cleanup``: removes what earlier runs left on an existing cluster, and reusable kind clusters."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.exit_codes import ExitCode
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EPILOG = """\
A run removes its objects when it ends, even if it is killed. cleanup is for the rest, after a power loss for example:
it removes every object with the labels app.kubernetes.io/managed-by=auditproof and auditproof.dev/run.
This breaks runs that are still in progress; use --run to limit it to one run.

--kubeconfig default uses the kubeconfig that kubectl uses.
--kind removes the clusters that runs with --reuse-cluster left for later runs.

examples:
  auditproof cleanup --kubeconfig prod.kubeconfig --dry-run
  auditproof cleanup --kubeconfig prod.kubeconfig --run 3f9c2a17be04
  auditproof cleanup --kind
"""
EXIT_CODES = {
    ExitCode.FINE: "nothing is left, or --dry-run has listed it",
    ExitCode.FOUND: "something is left",
    ExitCode.UNUSABLE: "unusable options, or the cluster cannot be used",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig of the cluster")
    where.add_argument("--kind", action="store_true", help="remove reusable kind clusters")
    parser.add_argument("--context", metavar="NAME", default="", help="context (default: the kubeconfig's current one)")
    parser.add_argument("--run", metavar="ID", dest="run_id", default="", help="only objects of this run")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be removed")


def execute(options: Namespace) -> int:
    """Remove the leftovers, or list them."""
    from auditproof.clusters.existing.cleanup import find_made, remove
    from auditproof.clusters.existing.kubeconfig import find_kubeconfig, load_kubeconfig
    from auditproof.clusters.kind.home import remove_reusable

    if options.kind:
        return int(bool(remove_reusable(output.tell, dry_run=options.dry_run)))
    with tempfile.TemporaryDirectory() as folder:
        connection = load_kubeconfig(find_kubeconfig(options.kubeconfig), options.context, Path(folder))
        made = find_made(connection, options.run_id)
        for each in made:
            output.tell(f"{'would remove' if options.dry_run else 'removing'} {each}")
        if not options.dry_run:
            remove(connection, made, output.tell)
    if not made:
        output.tell("nothing is left")
    else:
        output.tell(f"{len(made)} objects {'found on' if options.dry_run else 'removed from'} {connection.url}")
    return 0
