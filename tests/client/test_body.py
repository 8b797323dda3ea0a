"""Bodies of responses to set-up requests, as a server or a proxy may write them."""

from __future__ import annotations

import pytest

from auditproof.client.body import json_object
from auditproof.errors import WireError


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"null", b'"text"', b"[" * 100_000, b"\xff"])
def test_what_is_no_object_is_an_error_of_the_response(body: bytes) -> None:
    with pytest.raises(WireError, match="the API server responded with a"):
        json_object(body)


def test_a_key_that_is_missing_at_any_depth_is_an_error_that_names_it() -> None:
    found = json_object(b'{"status": {"items": [{"name": "a"}]}}')

    assert found["status"]["items"][0]["name"] == "a"
    assert found.get("spec", {}) == {}
    with pytest.raises(WireError, match="has no 'token' where it must: found items"):
        found["status"]["token"]
    with pytest.raises(WireError, match="has no 'uid'"):
        found["status"]["items"][0]["uid"]
