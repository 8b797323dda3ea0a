"""What the audit backends carry from the API server to the reader: recorded, lost, or unproven. Pure."""

from auditproof.backends.account import Account, account_of
from auditproof.backends.legacy import LegacyLine, legacy_line_of, parse_legacy

__all__ = ["Account", "LegacyLine", "account_of", "legacy_line_of", "parse_legacy"]
