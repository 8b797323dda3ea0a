"""What a test of a pipe leaves for the report: its flags, its accounts, and whether it showed what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditproof.plugin.failures import PIPE_RECORD, is_left_out
from auditproof.plugin.fixtures import marked
from auditproof.report.backends import pipe_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditproof.proof.backends import Account

ACCOUNTS: pytest.StashKey[list[dict[str, Any]]] = pytest.StashKey()
FACTS: pytest.StashKey[list[str]] = pytest.StashKey()
LOADS: pytest.StashKey[list[dict[str, Any]]] = pytest.StashKey()
KUBERNETES: pytest.StashKey[str] = pytest.StashKey()


def is_pipe(item: pytest.Item) -> bool:
    """Whether a test has an API server with backends of its own."""
    return "start_pipe" in getattr(item, "fixturenames", ())


def note_account(item: pytest.Item, account: Account) -> None:
    """Keep the account of a batch for the report."""
    item.stash.setdefault(ACCOUNTS, []).append(account.record())


def note_fact(item: pytest.Item, fact: str) -> None:
    """Keep something that was measured for the report."""
    item.stash.setdefault(FACTS, []).append(fact)


def note_load(item: pytest.Item, row: Mapping[str, Any]) -> None:
    """Keep a row of the table of what a backend sustains."""
    item.stash.setdefault(LOADS, []).append(dict(row))


def note_pipe(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Let the report of a phase carry the record of the test, once it has come to its end (see report.backends)."""
    if call.when == "call" or call.excinfo is not None:
        verdict = _verdict(call, report)
        setattr(report, PIPE_RECORD, _record_of(item, verdict, _reason(item, report) if verdict != "PROVEN" else ""))
        if verdict in ("VIOLATED", "UNPROVEN") and not report.failed:  # xfail, or made over
            report.outcome = "failed"
            if hasattr(report, "wasxfail"):
                del report.wasxfail


def _record_of(item: pytest.Item, verdict: str, reason: str) -> dict[str, Any]:
    path, line, _ = item.location
    doc = getattr(getattr(item, "obj", None), "__doc__", None) or item.name
    settings = marked(item)
    chosen = settings.broken_settings if item.config.getoption("--audit-sabotage") else settings.settings
    accounts: list[dict[str, Any]] = item.stash.get(ACCOUNTS, [])
    facts: list[str] = item.stash.get(FACTS, [])
    load: list[dict[str, Any]] = item.stash.get(LOADS, [])
    record = pipe_record(
        id=item.nodeid,
        title=doc.strip().splitlines()[0].rstrip(".") + _parameters(item),
        suite=path,
        line=(line or 0) + 1,
        flags={name: str(value) for name, value in chosen.over({}).items()},
        verdict=verdict,
        reason=reason,
        accounts=accounts,
        facts=facts,
        load=load,
    )
    return {**record, "kubernetes": item.stash.get(KUBERNETES, "")}


def _parameters(item: pytest.Item) -> str:
    called = getattr(item, "callspec", None)
    return f" ({called.id})" if called else ""


def _verdict(call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    """By how the test ended, whatever is made of its report: xfail excuses nothing."""
    if call.excinfo is not None and is_left_out(call.excinfo.value):
        return "NOT_SUPPORTED"
    if call.excinfo is None and not report.failed:
        return "PROVEN"
    return "VIOLATED" if call.when == "call" else "UNPROVEN"


def _reason(item: pytest.Item, report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else report.longreprtext).strip().splitlines()
    return lines[0].removeprefix(f"{item.name}: ").removeprefix("AssertionError: ") if lines else "the test failed"
