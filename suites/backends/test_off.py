"""Audit off: without a policy or without a backend nothing is recorded, and that is said in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof import AuditproofError
from auditproof.testing import AUDIT_OFF, UnexpectedDelivery

if TYPE_CHECKING:
    from auditproof.testing import BackendServer

pytestmark = [pytest.mark.backends, pytest.mark.audit_policy("../../fixtures/policies/backends.yaml")]

ON = {"audit_log": {}, "flags": {"v": "1"}}


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param("policy", marks=pytest.mark.audit_server(flags={"audit-policy-file": None}, sabotage=ON)),
        pytest.param("backend", marks=pytest.mark.audit_server(audit_log={"path": None}, sabotage=ON)),
    ],
)
def test_a_server_that_audits_nothing_is_found_out_before_anything_is_performed(
    backend: BackendServer, missing: str
) -> None:
    """Audit off: nothing is performed, and one line says what is missing."""
    try:
        account = backend.perform(5)
    except AuditproofError as error:
        assert str(error) == AUDIT_OFF, error
    else:
        raise UnexpectedDelivery(f"{account.text()}: audit is on")
