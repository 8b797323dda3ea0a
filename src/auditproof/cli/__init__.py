"""The command ``auditproof``."""
