"""Which events reach the reader through the audit backends: recorded, lost, or unproven. Pure."""

from auditproof.proof.backends.account import Delivery, account_of
from auditproof.proof.backends.legacy_format import LegacyLine, legacy_line_of, parse_legacy
from auditproof.proof.backends.load import Load, load_of

__all__ = ["Delivery", "LegacyLine", "Load", "account_of", "legacy_line_of", "load_of", "parse_legacy"]
