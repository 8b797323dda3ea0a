"""Values of an event that meet a condition."""

from __future__ import annotations

import pytest

from auditproof.detections import Field, Operator, Test, both, matches
from auditproof.detections.solving import solve
from auditproof.kube.attributes import UserInfo, attributes_of


@pytest.mark.parametrize(
    "test",
    [
        Test(Field.at("sourceIPs.*"), Operator.IN_NETWORK, ("10.0.0.0/8",)),
        Test(Field.at("sourceIPs.*"), Operator.IN_NETWORK, ("fd00::1/64",)),
    ],
    ids=str,
)
def test_a_value_is_found_for_each_operator(test: Test) -> None:
    """So that no rule counts as one that can never match only because of its operator."""
    found = solve(test, attributes_of("GET", "/api/v1/pods", UserInfo("alice")))
    assert found is not None
    (value,) = found.of[test.field]
    assert matches(test, {"sourceIPs": [value]})


def test_a_flattened_field_can_have_several_values() -> None:
    """A rule may ask for several elements of one list."""
    groups = Field(("requestObject", "subjects", "name"), flattened=True)
    names = [Test(groups, Operator.EQUALS, (name,)) for name in ("dev", "ops")]
    request = attributes_of("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", UserInfo("alice"))
    together = solve(both(*names), request)
    assert together is not None
    assert together.of[groups] == ("dev", "ops")
