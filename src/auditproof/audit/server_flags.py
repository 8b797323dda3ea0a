"""What tells API servers of one policy apart: flags beside those of the profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# These are the provider's own: another value would break the run, or the proof.
RESERVED = frozenset(
    {
        "audit-log-path",
        "audit-policy-file",
        "bind-address",
        "client-ca-file",
        "etcd-prefix",
        "etcd-servers",
        "permit-port-sharing",
        "secure-port",
        "tls-cert-file",
        "tls-private-key-file",
    }
)
# With one of these the API server removes what it has written, or writes it so that only people can read it.
_FORGETFUL = frozenset({"audit-log-maxbackup", "audit-log-maxage", "audit-log-format"})
_Pairs = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """Flags of one API server, beside those of the profile, and stronger.

    ``audit_log`` are --audit-log-* flags by their last part, ``flags`` any flags; None takes a flag away. Make it with
    ``of``, so that equal settings are equal.
    """

    audit_log: _Pairs = ()
    flags: _Pairs = ()

    @staticmethod
    def of(
        audit_log: Mapping[str, str | None] | None = None, flags: Mapping[str, str | None] | None = None
    ) -> Settings:
        """Settings out of mappings."""
        return Settings(tuple(sorted((audit_log or {}).items())), tuple(sorted((flags or {}).items())))

    def over(self, flags: Mapping[str, Any]) -> dict[str, Any]:
        """``flags`` with these settings on top."""
        ours = {f"audit-log-{key}": value for key, value in self.audit_log} | dict(self.flags)
        return {key: value for key, value in {**flags, **ours}.items() if value is not None}

    @property
    def keeps_log(self) -> bool:
        """Whether, as far as these settings go, every event stays in the log as it was written."""
        return not _FORGETFUL & self.over({}).keys()


NO_SETTINGS = Settings()
