"""API server flags in addition to those of the profile; they distinguish API servers with the same policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Set by the provider: another value would break the run or the proof.
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
# With one of these the API server removes what it has written, or writes it in a form that programs cannot read.
_FORGETFUL = frozenset({"audit-log-maxbackup", "audit-log-maxage", "audit-log-format"})
_Pairs = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class ServerFlags:
    """Flags of one API server; they are added to those of the profile and override them.

    ``audit_log`` are --audit-log-* flags by the last part of their name, ``flags`` any flags; None removes a flag.
    Create it with ``of``, so that equal settings compare equal.
    """

    audit_log: _Pairs = ()
    flags: _Pairs = ()

    @staticmethod
    def of(
        audit_log: Mapping[str, str | None] | None = None, flags: Mapping[str, str | None] | None = None
    ) -> ServerFlags:
        """Create the settings from mappings."""
        return ServerFlags(tuple(sorted((audit_log or {}).items())), tuple(sorted((flags or {}).items())))

    def over(self, flags: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``flags``, overridden by these settings."""
        ours = {f"audit-log-{key}": value for key, value in self.audit_log} | dict(self.flags)
        return {key: value for key, value in {**flags, **ours}.items() if value is not None}

    @property
    def keeps_log(self) -> bool:
        """Whether these settings leave every event in the log as it was written."""
        return not _FORGETFUL & self.over({}).keys()


DEFAULT_FLAGS = ServerFlags()
