"""``auditproof init``: a policy, own cases, requirements, a CI job and a pre-commit hook, in a shape that is green."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from auditproof.cli.arguments import add_kubernetes
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EPILOG = """\
init writes what a repository with an audit policy needs, and nothing that is there already:

  policies/prod.yaml             a policy to begin with; with --policy, or if the folder holds one, yours is taken
  audit/own.audit.yaml           two cases of your own, which expect what the policy decides today
  requirements/own.yaml          requirements that the policy meets; those that it does not meet are comments
  audit-changes.yaml             next to the policy: what someone approved although the gate forbids it
  pytest.ini                     the policy for pytest, unless the folder is a Python project
  .github/workflows/ or .gitlab/ a job that lints, compares with the base branch, and proves
  .pre-commit-config.yaml        a hook that lints
  .auditproof/                   JSON Schemas, which editors with a YAML language server use

A policy of your own is not touched. It may be inside another file, such as a ConfigMap or a kOps cluster: FILE#PLACE.
In a repository of several projects, FOLDER is one of them; job and hook are put at the root of the repository.

examples:
  auditproof init
  auditproof init --policy policies/audit.yaml --ci gitlab
  auditproof init services/cluster --policy services/cluster/kops.yaml --dry-run
  auditproof init --force requirements/own.yaml
"""
EXIT_CODES = {
    ExitCode.FINE: "done; files that were there are kept",
    ExitCode.UNUSABLE: "unusable options, a policy that cannot be used, or a file that cannot be written",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="where to (default: this folder)")
    parser.add_argument(
        "--policy",
        metavar="FILE",
        help="your audit policy: a file in FOLDER, or FILE#PLACE (default: what FOLDER holds)",
    )
    parser.add_argument(
        "--ci",
        choices=["github", "gitlab", "none"],
        help="the CI system that gets a job (default: gitlab if there is a .gitlab-ci.yml, otherwise github)",
    )
    parser.add_argument(
        "--force", metavar="FILE", action="append", default=[], help="replace this file, too; may be repeated"
    )
    parser.add_argument("--dry-run", action="store_true", help="write nothing, and list what would be written")
    add_kubernetes(parser)


def execute(options: Namespace) -> int:
    """Write the files and say what was written, what was kept, and what to do next.

    Raises AuditproofError if the folder is none, and as ``starting_policy`` and ``write`` do.
    """
    from auditproof.cli.schemas import schema_text
    from auditproof.starter import plan, starting_policy, write
    from auditproof.starter.write import KEPT

    folder = Path(options.folder)
    if folder.exists() and not folder.is_dir():
        raise AuditproofError(f"init: {folder} is a file; name the folder of your repository")
    policy = starting_policy(folder, options.policy, options.kubernetes)
    schemas = {name: schema_text(name) for name in ("case", "requirements", "changes", "policy")}
    starter = plan(folder, policy, options.ci, options.kubernetes, schemas)
    if options.dry_run:
        output.tell("nothing is written (--dry-run)")
    for one in write(starter.files, options.force, dry=options.dry_run):
        kept = f" (it exists; --force {quote(one.name)} replaces it)" if one.what == KEPT else ""
        output.tell(f"{one.what:9} {one.name}{kept}")
        if kept and one.instead:
            output.tell(f"          {one.instead}")
    for note in starter.notes:
        output.tell(f"note      {note}")
    moved = [f"cd {quote(str(folder))}"] if folder.resolve() != Path.cwd() else []
    output.tell("\n".join(["", "next:", *(f"  {command}" for command in (*moved, *starter.commands))]))
    return ExitCode.FINE
