"""The libraries of the extra ``replay``, which the core installation does not have."""

from __future__ import annotations

from importlib.util import find_spec

from auditproof.errors import AuditproofError

INSTALL = 'pip install "auditproof[replay]"'


def require_replay(*modules: str) -> None:
    """Check that the libraries are installed.

    Raises AuditproofError that names the missing ones and says how to install them.
    """
    if missing := [name for name in modules if find_spec(name) is None]:
        several = "are" if len(missing) > 1 else "is"
        raise AuditproofError(f"this needs {' and '.join(missing)}, which {several} not installed; install: {INSTALL}")
