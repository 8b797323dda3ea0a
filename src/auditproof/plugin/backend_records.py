"""What a test of a pipe leaves for the report: its flags, its accounts, and whether it showed what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditproof.plugin.failures import is_left_out
from auditproof.plugin.fixtures import marked
from auditproof.proof.verdict import Outcome
from auditproof.report.backends import backend_test
from auditproof.report.model import BackendAccount, BackendLoad

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditproof.proof.backends import Account
    from auditproof.report.model import BackendTest

ACCOUNTS: pytest.StashKey[list[BackendAccount]] = pytest.StashKey()
FACTS: pytest.StashKey[list[str]] = pytest.StashKey()
LOADS: pytest.StashKey[list[BackendLoad]] = pytest.StashKey()
KUBERNETES: pytest.StashKey[str] = pytest.StashKey()


def is_pipe(item: pytest.Item) -> bool:
    """Whether a test has an API server with backends of its own."""
    return "start_pipe" in getattr(item, "fixturenames", ())


def note_account(item: pytest.Item, account: Account) -> None:
    """Keep the account of a batch for the report."""
    item.stash.setdefault(ACCOUNTS, []).append(BackendAccount.model_validate(account.record()))


def note_fact(item: pytest.Item, fact: str) -> None:
    """Keep something that was measured for the report."""
    item.stash.setdefault(FACTS, []).append(fact)


def note_load(item: pytest.Item, row: Mapping[str, Any]) -> None:
    """Keep a row of the table of what a backend sustains."""
    item.stash.setdefault(LOADS, []).append(BackendLoad.model_validate(dict(row)))


def backend_fields(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> dict[str, Any]:
    """What an ItemResult says about a test of backends after a phase of it; nothing while it goes on.

    A report that a marker has excused (xfail) becomes the failure that it is.
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
    settings = marked(item)
    chosen = settings.broken_settings if item.config.getoption("--audit-sabotage") else settings.settings
    accounts: list[BackendAccount] = item.stash.get(ACCOUNTS, [])
    facts: list[str] = item.stash.get(FACTS, [])
    return backend_test(
        id=item.nodeid,
        title=doc.strip().splitlines()[0].rstrip(".") + _parameters(item),
        suite=path,
        line=(line or 0) + 1,
        flags={name: str(value) for name, value in chosen.over({}).items()},
        verdict=verdict,
        reason=reason,
        accounts=accounts,
        facts=facts,
    )


def _parameters(item: pytest.Item) -> str:
    called = getattr(item, "callspec", None)
    return f" ({called.id})" if called else ""


def _verdict(call: pytest.CallInfo[None], report: pytest.TestReport) -> Outcome:
    """By how the test ended, whatever is made of its report: xfail excuses nothing."""
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
