"""The file of acknowledged changes, as several commands read it and add to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import Namespace, _ArgumentGroup
    from datetime import date

    from auditproof.analysis.gate import Acknowledged


def declare_acknowledged(group: _ArgumentGroup, policy: str, what: str) -> None:
    """Declare the file, by default next to ``policy``, and that an entry for each ``what`` is added to it."""
    group.add_argument(
        "--acknowledged",
        metavar="FILE",
        help=f"what someone approved (default: audit-changes.yaml next to {policy}, if it exists)",
    )
    group.add_argument(
        "--acknowledge", action="store_true", help=f"append an entry to fill in for each {what} to that file"
    )


def read_acknowledged(options: Namespace, folder: Path) -> tuple[Path, Acknowledged | None]:
    """The file that the options name, otherwise the one in ``folder``, and what is in it; None if there is none there.

    Raises SourceError for a mistake in it, and if a named file does not exist; with --acknowledge it may not exist yet.
    """
    from auditproof.analysis.gate import FILE, load_acknowledged

    file = Path(options.acknowledged) if options.acknowledged else folder / FILE
    expected = options.acknowledged and not options.acknowledge
    return file, load_acknowledged(file) if expected or file.is_file() else None


def today() -> date:
    """The date on which an entry may be over, in UTC."""
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


def add_entries(file: Path, key: str, entries: list[dict[str, Any]]) -> None:
    """Append entries to a list of the file of acknowledged changes. Raises AuditproofError if it cannot."""
    from auditproof.analysis.gate import with_entries

    try:
        before = file.read_bytes().decode() if file.exists() else ""
        file.write_bytes(with_entries(before, key, entries).encode())
    except OSError as error:
        raise AuditproofError(f"{file} cannot be written: {error.strerror}") from None
    count = f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}"
    output.complain(f"auditproof: {count} added to {file}: say why, and who approved, in each of them")
