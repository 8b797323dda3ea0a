"""What a Python test asks of ``audit``: arguments of the wrong kind get an error that says what to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level
from auditproof.cases.expectation import Expectation
from auditproof.errors import Misuse
from auditproof.kube.action import Action, Request, to_request
from auditproof.kube.identity import Identity
from auditproof.kube.ready_made import READY_MADE

if TYPE_CHECKING:
    import pytest

_ACT = 'act("get", "secrets/db", "shop")'


def request_in(action: object) -> Request:
    """The request of an action. Raises Misuse if it is neither an Action nor a Request."""
    if isinstance(action, Action):
        return to_request(action)
    if isinstance(action, Request):
        return action
    raise Misuse(f"audit: the action must be an Action, not {_told(action)}: write {_ACT}")


def check_identity(identity: object) -> None:
    """Raise Misuse if this is no Identity."""
    if isinstance(identity, Identity):
        return
    name = identity if isinstance(identity, str) else "alice"
    how = f"Identity.named({name!r})" if name in READY_MADE else f"Identity.x509({name!r})"
    raise Misuse(f"audit: the first argument must be an Identity, not {_told(identity)}: write {how}")


def check_expectation(expect: object) -> None:
    """Raise Misuse if this is neither an Expectation nor None."""
    if expect is None or isinstance(expect, Expectation):
        return
    how = (
        f"Expectation(level=Level.{expect.name})" if isinstance(expect, Level) else "Expectation(level=Level.METADATA)"
    )
    raise Misuse(f"audit: what is expected must be an Expectation, not {_told(expect)}: write {how}")


def check_manifest(manifest: object) -> Mapping[str, Any]:
    """The object to create, if it is one. Raises Misuse."""
    if isinstance(manifest, Mapping) and {"apiVersion", "kind", "metadata"} <= manifest.keys():
        return manifest
    example = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}'
    hint = "*load_manifest(Path(...)) for a file, or " if isinstance(manifest, str) else ""
    raise Misuse(f"audit.given: expected an object, not {_told(manifest)}: write {hint}{example}")


def missing_fixture(error: pytest.FixtureLookupError) -> str:
    """What to tell about a test that takes a fixture which does not exist."""
    name = str(error.argname)
    hint = f': auditproof has no fixture of this name; write Identity.named("{name}")' if name in READY_MADE else ""
    return f"the test takes a fixture {name!r} that does not exist{hint}"


def _told(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"a value of type {type(value).__name__}"
