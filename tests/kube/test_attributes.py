"""What the API server looks at in a request, beyond what the vectors hold."""

from __future__ import annotations

import pytest

from auditproof.kube.attributes import attributes_of, is_long_running


@pytest.mark.parametrize(
    ("method", "uri", "long_running"),
    [
        ("GET", "/api/v1/pods?watch=1", True),
        ("GET", "/api/v1/namespaces/shop/pods/web/log", True),
        ("POST", "/api/v1/namespaces/shop/pods/web/exec", True),
        ("GET", "/api/v1/namespaces/shop/pods/web/status", False),
        ("GET", "/debug/pprof/profile", True),
        ("GET", "/debug/pprof", False),
        ("GET", "/metrics", False),
        ("PROXY", "/metrics", True),
        ("WATCH", "/version", True),
    ],
)
def test_a_request_is_long_running_by_its_verb_subresource_or_path(method: str, uri: str, long_running: bool) -> None:
    assert is_long_running(attributes_of(method, uri, None)) is long_running
