"""auditproof in pytest: options, ``*.audit.yaml`` collection, fixtures, and the report.

The only package that imports pytest. This module is the entry point of the plugin.
"""

from auditproof.plugin.entry import (
    audit,
    audit_backend,
    audit_backend_start,
    audit_beside,
    audit_kubernetes,
    audit_policy,
    pytest_addoption,
    pytest_cmdline_main,
    pytest_collect_file,
    pytest_configure,
    pytest_itemcollected,
)

__all__ = [
    "audit",
    "audit_backend",
    "audit_backend_start",
    "audit_beside",
    "audit_kubernetes",
    "audit_policy",
    "pytest_addoption",
    "pytest_cmdline_main",
    "pytest_collect_file",
    "pytest_configure",
    "pytest_itemcollected",
]
