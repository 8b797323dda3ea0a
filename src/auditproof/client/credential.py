"""A credential: how a client shows who it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - pydantic needs it at run time


@dataclass(frozen=True, slots=True)
class Credential:
    """How an identity shows who it is: client certificate and key (PEM files), a bearer token, or nothing.

    ``headers`` are sent with every request in addition, e.g. those of an authenticating proxy or of impersonation.
    """

    cert: Path | None = None
    key: Path | None = None
    token: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def pair(self) -> tuple[Path, Path] | None:
        """Certificate and key, where there are both."""
        return (self.cert, self.key) if self.cert and self.key else None


NO_CREDENTIAL = Credential()
