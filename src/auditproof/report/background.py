"""What the given policy records when nobody acts, for the report: the key ``noise`` of results.json, and its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditproof.audit.policy.load import Policy
    from auditproof.proof.background import Noise, Share

DAY_S = 86400


def noise_record(noise: Noise, policy: Policy) -> dict[str, Any]:
    """The noise as plain data: components and rules by the bytes that they take, most first."""

    def share(found: Share) -> dict[str, Any]:
        rate = round(found.events / noise.seconds, 3) if noise.seconds else 0.0
        return {"events": found.events, "bytes": found.size, "eventsPerSecond": rate}

    return {
        "seconds": round(noise.seconds, 1),
        **share(noise.total),
        "components": [
            {"user": user, "program": program, **share(found)}
            for (user, program), found in sorted(noise.components.items(), key=lambda item: (-item[1].size, item[0]))
        ],
        "rules": [
            {**_rule(index, policy), **share(found)}
            for index, found in sorted(noise.rules.items(), key=lambda item: -item[1].size)
        ],
        "reactions": share(noise.reactions),
    }


def _rule(index: int | None, policy: Policy) -> dict[str, Any]:
    if index is None:
        return {"rule": None, "line": None, "level": None}
    rule = policy.rules[index]
    return {"rule": index, "line": rule.position.line, "level": str(rule.level)}


def noise_sentence(report: Mapping[str, Any]) -> str:
    """What the policy costs at rest, in a sentence; empty where the run has not measured it."""
    noise = report.get("noise")
    if not noise:
        return ""
    if not noise["events"]:
        return "Beside the actions of this run nothing was recorded by this policy."
    daily = noise["bytes"] / noise["seconds"] * DAY_S
    return (
        f"Beside the actions of this run, {noise['eventsPerSecond']:.2g} events and "
        f"{_size(noise['bytes'] / noise['seconds'])} were recorded per second, which would be {_size(daily)} a day."
    )


def noise_rows(report: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The rows of a table, ``components`` or ``rules``: with the bytes of a day in words."""
    noise = report.get("noise", {"seconds": 0, key: ()})
    return [{**row, "daily": _size(row["bytes"] / noise["seconds"] * DAY_S)} for row in noise[key]]


def _size(amount: float) -> str:
    units = ["B", "kB", "MB", "GB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        del units[0]
    return f"{amount:.3g} {units[0]}"
