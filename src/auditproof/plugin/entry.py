"""The entry point that every pytest process in the installation loads: options, marks and fixtures.

The rest is the plugin ``hooks``. It is loaded as soon as the run concerns auditproof: an option is given, a case file
is collected, or a test takes one of the fixtures. Until then, nothing is imported but pytest and the standard library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.plugin.asked import WORKER_KEY, add_options, asked_for, is_case_file, is_worker
from auditproof.plugin.markers import MARKERS_OF_TESTS
from auditproof.plugin.taken import takes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditproof.plugin.fixtures import Audit
    from auditproof.proof.backends.server import BackendServer

HOOKS = "auditproof-hooks"
FIXTURES = frozenset({"audit", "audit_beside", "audit_policy", "audit_kubernetes", "audit_backend_start"})


def load(config: pytest.Config) -> None:
    """Load the other hooks, if they are not loaded yet; their pytest_configure is called at once."""
    if not config.pluginmanager.has_plugin(HOOKS):
        from auditproof.plugin import hooks

        config.pluginmanager.register(hooks, HOOKS)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Let xdist distribute whole files, so that a file's cases share a fence; an explicit --dist wins.

    A run without any option of auditproof is left as it is.
    """
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no" and asked_for(config):
        config.option.dist = "loadfile"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the hooks if an option is given, so that a wrong one is reported before anything runs."""
    for marker in MARKERS_OF_TESTS:
        config.addinivalue_line("markers", marker)
    if WORKER_KEY in config.workerinput if is_worker(config) else asked_for(config):  # type: ignore[attr-defined]  # added by pytest-xdist
        load(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the first case file, if the hooks are not loaded: pytest does not call hooks registered during a call."""
    if parent.config.pluginmanager.has_plugin(HOOKS) or not is_case_file(file_path, parent):
        return None
    load(parent.config)
    from auditproof.plugin.collect import collect_file

    return collect_file(file_path, parent)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Load the hooks for a test that takes one of the fixtures."""
    if takes(item, FIXTURES):
        load(item.config)


@pytest.fixture(scope="session")
def audit_policy(pytestconfig: pytest.Config) -> Path:
    """The path of the policy to test; override it in a conftest.py to choose another one for the tests below it."""
    from auditproof.plugin.fixtures import given_policy

    return given_policy(pytestconfig)


@pytest.fixture
def audit_kubernetes(request: pytest.FixtureRequest) -> str:
    """The Kubernetes version of the test, as it was given; a run on several versions has the test once for each."""
    from auditproof.plugin.session import session_of

    return session_of(request.node).options.kubernetes


@pytest.fixture
def audit(
    request: pytest.FixtureRequest,
    audit_kubernetes: str,  # noqa: ARG001 - the test gets it as a parameter, see pytest_generate_tests
    audit_policy: Path,
) -> Audit:
    """Sends requests to an API server with the policy, and checks what it records: ``audit(identity, action)``.

    ``@pytest.mark.audit_policy("path", sabotage="path")`` (relative to the test's file) chooses the policy of a test,
    ``@pytest.mark.audit_server(audit_log={...}, flags={...}, sabotage={"audit_log": ..., "flags": ...})`` the flags of
    its API server; the value None removes a flag. A run with --audit-sabotage uses ``sabotage`` instead.
    """
    from auditproof.plugin.fixtures import audit_of

    return audit_of(request, audit_policy)


@pytest.fixture
def audit_beside(request: pytest.FixtureRequest, audit_kubernetes: str) -> Callable[[str], Audit]:  # noqa: ARG001 - as in audit
    """Returns an ``audit`` for a second API server with objects of its own: ``audit_beside("path of its policy")``.

    A run with --audit-sabotage uses the same policy.
    """
    from auditproof.plugin.fixtures import audit_beside_of

    return audit_beside_of(request)


@pytest.fixture
def audit_backend_start(
    request: pytest.FixtureRequest,
    audit_kubernetes: str,  # noqa: ARG001 - as in audit
) -> Iterator[Callable[[], BackendServer]]:
    """Starts the server of ``audit_backend`` when called; raises ClusterError if it does not start."""
    from auditproof.plugin.backend_fixtures import backends_of

    yield from backends_of(request)


@pytest.fixture
def audit_backend(audit_backend_start: Callable[[], BackendServer]) -> BackendServer:
    """An API server with the flags of ``@pytest.mark.audit_server(...)``, and the reader of its audit backends."""
    return audit_backend_start()
