"""``auditproof cleanup``: remove what runs have left behind on a cluster of the user's, and kind clusters of ours."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.command import add_command
from auditproof.clusters.existing.cleanup import find_made, remove
from auditproof.clusters.existing.kubeconfig import DEFAULT, find_kubeconfig, load_kubeconfig
from auditproof.clusters.kind.home import remove_reusable
from auditproof.text import output

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from auditproof.cli.command import Commands

EPILOG = f"""\
A run removes what it has made when it ends, also when it is killed. This is for what is left where even that was not
possible: everything on the cluster that carries the labels app.kubernetes.io/managed-by=auditproof and
auditproof.dev/run. A run that is still going on loses what it needs: --run keeps to one.

--kubeconfig {DEFAULT} takes the one that kubectl takes, with its current context.

--kind is about the clusters that runs with --reuse-cluster have left to later ones.

exit codes: 0 nothing is left; 2 something is, or the cluster cannot be used.

examples:
  auditproof cleanup --kubeconfig prod.kubeconfig --dry-run
  auditproof cleanup --kubeconfig prod.kubeconfig --run 3f9c2a17be04
  auditproof cleanup --kind
"""


def add_cleanup(commands: Commands) -> None:
    """Declare the subcommand."""
    asked = add_command(commands, "cleanup", "remove what runs have left behind", EPILOG)
    where = asked.add_mutually_exclusive_group(required=True)
    where.add_argument("--kubeconfig", metavar="FILE", help="the cluster, and who we are there")
    where.add_argument("--kind", action="store_true", help="the kind clusters that were kept to be used again")
    asked.add_argument("--context", metavar="NAME", default="", help="of the kubeconfig (default: its current one)")
    asked.add_argument("--run", metavar="ID", dest="run_id", default="", help="only what this run has made")
    asked.add_argument("--dry-run", action="store_true", help="say what would be removed")
    asked.set_defaults(run=_cleanup)


def _cleanup(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    if options.kind:
        return 2 if remove_reusable(output.tell, dry_run=options.dry_run) else 0
    with tempfile.TemporaryDirectory() as folder:
        connection = load_kubeconfig(find_kubeconfig(options.kubeconfig), options.context, Path(folder))
        made = find_made(connection, options.run_id)
        for each in made:
            output.tell(f"{'would remove' if options.dry_run else 'removing'} {each}")
        if not options.dry_run:
            remove(connection, made, output.tell)
    output.tell(
        f"{len(made)} objects {'are' if options.dry_run else 'were'} on {connection.url}" if made else "nothing is left"
    )
    return 0
