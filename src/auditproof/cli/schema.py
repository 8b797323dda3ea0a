"""``auditproof schema``: prints the JSON Schema of a file that auditproof reads or writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

NAMES = ("case", "requirements", "changes", "profile", "results", "policy")
EPILOG = """\
With a schema, an editor completes the keys of a file, shows what each one means, and marks mistakes while you type.

  case           case files (*.audit.yaml)
  requirements   requirements files
  changes        audit-changes.yaml: changes and unmet requirements that are acknowledged
  profile        cluster profiles (--cluster FILE)
  results        results.json, which a run writes
  policy         audit policies, as an API server decodes them; a key that the server would ignore is an error

The schemas are of JSON Schema's draft 2020-12. In an editor with the YAML language server, a file names its schema in
its first line:

  # yaml-language-server: $schema=schemas/policy.schema.json

A schema finds no mistake that needs more than the file: auditproof lint does.

examples:
  auditproof schema policy --output policy.schema.json
  auditproof schema --all schemas/
"""
EXIT_CODES = {
    ExitCode.FINE: "the schema is written",
    ExitCode.UNUSABLE: "unusable options, or a file cannot be written",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", choices=NAMES, help=", ".join(NAMES))
    parser.add_argument("--output", metavar="FILE", type=Path, help="file to write (default: standard output)")
    parser.add_argument("--all", metavar="FOLDER", type=Path, help="write all schemas, as FOLDER/NAME.schema.json")


def execute(options: Namespace) -> int:
    """Write one schema, or all of them.

    Raises AuditproofError if it is not said which, or a file cannot be written.
    """
    from auditproof.cli.schemas import schema_text

    if (options.name is None) == (options.all is None):
        raise AuditproofError(f"expected either NAME or --all FOLDER; NAME is one of {', '.join(NAMES)}")
    if options.all is not None:
        if options.output is not None:
            raise AuditproofError("--output is for one schema; --all FOLDER writes each one to a file of its own")
        write_all(options.all)
    elif options.output is not None:
        _write(options.output, schema_text(options.name))
    else:
        output.tell_json(schema_text(options.name))
    return ExitCode.FINE


def write_all(folder: Path) -> None:
    """Write each schema into ``folder``, which is made if it is not there.

    Raises AuditproofError if one cannot be written.
    """
    from auditproof.cli.schemas import file_name, schema_text

    for name in NAMES:
        _write(folder / file_name(name), schema_text(name))


def _write(path: Path, text: str) -> None:
    from auditproof.report.document import replace_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        raise AuditproofError(f"{path} cannot be written: {error.strerror}") from None
    output.tell(f"written: {path}")
