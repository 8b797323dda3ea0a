"""What a case expects, of whatever server it meets."""

from __future__ import annotations

from auditproof.cases.expectation import Expectation


def test_the_address_of_the_client_is_put_where_it_is_meant() -> None:
    expected = Expectation(event={"sourceIPs": ["203.0.113.7", "<client>"], "user": {"name": "<client> or not"}})

    seen = expected.seen_from("172.18.0.1")

    assert seen.event == {"sourceIPs": ["203.0.113.7", "172.18.0.1"], "user": {"name": "<client> or not"}}
    assert expected.event["sourceIPs"] == ["203.0.113.7", "<client>"]
