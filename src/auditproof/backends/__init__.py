"""What the audit backends carry from the API server to the reader: recorded, lost, or unproven. Pure."""

from auditproof.backends.account import Account, account_of
from auditproof.backends.legacy import LegacyLine, legacy_line_of, parse_legacy
from auditproof.backends.load import Load, load_of

__all__ = ["Account", "LegacyLine", "Load", "account_of", "legacy_line_of", "load_of", "parse_legacy"]
