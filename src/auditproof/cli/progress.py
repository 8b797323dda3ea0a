"""A line of progress on a terminal: written again and again, and gone before the output."""

from __future__ import annotations

import sys

from auditproof.text.printable import printable


def progress(text: str) -> None:
    """Show ``text`` in place of the last one; nothing for an empty text, and nowhere but on a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{f'auditproof: {printable(text)}' if text else ''}\033[K")
        sys.stderr.flush()
