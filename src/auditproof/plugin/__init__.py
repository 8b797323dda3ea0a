"""auditproof in pytest: options, ``*.audit.yaml`` collection, fixtures, and the report.

The only package that imports pytest.
"""

from auditproof.plugin.backend_fixtures import pipe, start_pipe
from auditproof.plugin.fixtures import audit, audit_beside, audit_policy
from auditproof.plugin.hooks import (
    pytest_addoption,
    pytest_cmdline_main,
    pytest_collect_file,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_configure_node,
    pytest_deselected,
    pytest_metadata,
    pytest_report_header,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtestloop,
    pytest_sessionfinish,
    pytest_unconfigure,
    pytest_xdist_node_collection_finished,
)

__all__ = [
    "audit",
    "audit_beside",
    "audit_policy",
    "pipe",
    "pytest_addoption",
    "pytest_cmdline_main",
    "pytest_collect_file",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_deselected",
    "pytest_metadata",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_unconfigure",
    "pytest_xdist_node_collection_finished",
    "start_pipe",
]
