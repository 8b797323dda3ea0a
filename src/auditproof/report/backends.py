"""What the audit backends carried to the reader, for the report: the key ``backends`` of results.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

KINDS = ("performed", "recorded", "lost", "unproven")


def pipe_record(
    *,
    id: str,  # noqa: A002 - as the key is called
    title: str,
    suite: str,
    line: int,
    flags: Mapping[str, str],
    verdict: str,
    reason: str,
    accounts: Sequence[Mapping[str, Any]],
    facts: Sequence[str],
    load: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """One test of a pipe: ``verdict`` is PROVEN, VIOLATED, UNPROVEN or NOT_SUPPORTED, with its ``reason``.

    ``performed`` = ``recorded`` + ``lost`` + ``unproven``, summed up over its accounts.
    """
    return {
        "id": id,
        "title": title,
        "suite": suite,
        "line": line,
        "flags": dict(flags),
        "verdict": verdict,
        "reason": reason,
        **{kind: sum(account[kind] for account in accounts) for kind in KINDS},
        "accounts": [dict(account) for account in accounts],
        "facts": list(facts),
        "load": [dict(row) for row in load],
    }


def backends_record(records: Iterable[Mapping[str, Any]], planned: Iterable[str]) -> dict[str, Any]:
    """The part ``backends``: every test, the sums over all of them, and the table of what each backend sustained."""
    tests = sorted(records, key=lambda record: (record["suite"], record["line"], record["id"]))
    done = {record["id"] for record in tests}
    return {
        **{kind: sum(record[kind] for record in tests) for kind in KINDS},
        "notPerformed": sorted(set(planned) - done),
        "load": sorted(
            (row for record in tests for row in record["load"]),
            key=lambda row: (row["events"] > 0, row["backend"], row["mode"]),
        ),
        "tests": [{key: value for key, value in record.items() if key != "load"} for record in tests],
    }


def backend_troubles(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tests of backends that did not show what they say."""
    tests = report.get("backends", {}).get("tests", ())
    return [test for test in tests if test["verdict"] in ("VIOLATED", "UNPROVEN")]


def backends_line(report: Mapping[str, Any]) -> str:
    """What all tests of backends come to, in a line; empty where there are none."""
    part = report.get("backends")
    if not part:
        return ""
    shown = sum(1 for test in part["tests"] if test["verdict"] == "PROVEN")
    planned = len(part["tests"]) + len(part["notPerformed"])
    lacking = sum(1 for test in part["tests"] if test["verdict"] == "NOT_SUPPORTED")
    here = f" ({lacking} not supported here)" if lacking else ""
    sums = f"{part['performed']} actions: {part['recorded']} recorded, {part['lost']} lost, {part['unproven']} unproven"
    return f"backends: {shown} of {planned} tests show what they say{here}; {sums}"
