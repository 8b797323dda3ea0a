"""The record of a backend test for the report: its flags, its accounts, and its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditproof.plugin.failures import is_left_out
from auditproof.plugin.fixtures import marked
from auditproof.plugin.taken import takes
from auditproof.proof.backends import Delivery
from auditproof.proof.verdict import Outcome
from auditproof.report.backends import backend_test
from auditproof.report.model import BackendAccount, BackendLoad

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.proof.backends.server import Note
    from auditproof.report.model import BackendTest

ACCOUNTS: pytest.StashKey[list[BackendAccount]] = pytest.StashKey()
FACTS: pytest.StashKey[list[str]] = pytest.StashKey()
LOADS: pytest.StashKey[list[BackendLoad]] = pytest.StashKey()
KUBERNETES: pytest.StashKey[str] = pytest.StashKey()


def is_backend_test(item: pytest.Item) -> bool:
    """Whether a test uses an API server with chosen backends."""
    return takes(item, ("audit_backend_start",))


def noting(item: pytest.Item) -> Callable[[Note], None]:
    """Return the ``note`` of a BackendServer that keeps its notes for the report of this test."""

    def note(found: Note) -> None:
        if isinstance(found, Delivery):
            item.stash.setdefault(ACCOUNTS, []).append(BackendAccount.model_validate(found.record()))
        elif isinstance(found, str):
            item.stash.setdefault(FACTS, []).append(found)
        else:
            item.stash.setdefault(LOADS, []).append(BackendLoad.model_validate(dict(found)))

    return note


def backend_fields(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> dict[str, Any]:
    """The fields of an ItemResult for a backend test after a phase; none while the test continues.

    A report that a marker has excused (xfail) becomes a failure again.
    """
    if call.when != "call" and call.excinfo is None:
        return {}
    verdict = _verdict(call, report)
    record = _record_of(item, verdict, _reason(item, report) if verdict is not Outcome.PROVEN else "")
    if verdict.is_trouble and not report.failed:
        report.outcome = "failed"
        if hasattr(report, "wasxfail"):
            del report.wasxfail
    load: list[BackendLoad] = item.stash.get(LOADS, [])
    fields: dict[str, Any] = {"backend": record, "load": tuple(load)}
    version = item.stash.get(KUBERNETES, "")
    return fields | ({"kubernetes": version} if version else {})


def _record_of(item: pytest.Item, verdict: Outcome, reason: str) -> BackendTest:
    path, line, _ = item.location
    doc = getattr(getattr(item, "obj", None), "__doc__", None) or item.name
    chosen = marked(item).settings_in(sabotage=bool(item.config.getoption("--audit-sabotage")))
    accounts: list[BackendAccount] = item.stash.get(ACCOUNTS, [])
    facts: list[str] = item.stash.get(FACTS, [])
    called = getattr(item, "callspec", None)
    return backend_test(
        id=item.nodeid,
        title=doc.strip().splitlines()[0].rstrip(".") + (f" ({called.id})" if called else ""),
        suite=path,
        line=(line or 0) + 1,
        flags={name: str(value) for name, value in chosen.over({}).items()},
        verdict=verdict,
        reason=reason,
        accounts=accounts,
        facts=facts,
    )


def _verdict(call: pytest.CallInfo[None], report: pytest.TestReport) -> Outcome:
    """The verdict by how the test ended, whatever happens to its report: xfail excuses nothing."""
    if call.excinfo is not None and is_left_out(call.excinfo.value):
        return Outcome.NOT_SUPPORTED
    if call.excinfo is None and not report.failed:
        return Outcome.PROVEN
    return Outcome.VIOLATED if call.when == "call" else Outcome.UNPROVEN


def _reason(item: pytest.Item, report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else report.longreprtext).strip().splitlines()
    return lines[0].removeprefix(f"{item.name}: ").removeprefix("AssertionError: ") if lines else "the test failed"
