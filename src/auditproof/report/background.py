"""The background volume of the given policy: the section ``noise`` of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.report.model import NoiseComponent, NoiseRecord, NoiseRule, NoiseShare

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy
    from auditproof.proof.background import Noise, Share
    from auditproof.report.model import Report

DAY_S = 86400


def noise_record(noise: Noise, policy: Policy) -> NoiseRecord:
    """Clients and rules by the bytes that they cause, largest first."""

    def share(found: Share) -> dict[str, Any]:
        rate = round(found.events / noise.seconds, 3) if noise.seconds else 0.0
        return {"events": found.events, "bytes": found.size, "events_per_second": rate}

    components = sorted(noise.components.items(), key=lambda item: (-item[1].size, item[0]))
    rules = sorted(noise.rules.items(), key=lambda item: -item[1].size)
    return NoiseRecord(
        seconds=round(noise.seconds, 1),
        **share(noise.total),
        components=tuple(
            NoiseComponent(user=user, program=program, **share(found)) for (user, program), found in components
        ),
        rules=tuple(NoiseRule(**_rule(index, policy), **share(found)) for index, found in rules),
        reactions=NoiseShare(**share(noise.reactions)),
    )


def _rule(index: int | None, policy: Policy) -> dict[str, Any]:
    if index is None:
        return {"rule": None, "line": None, "level": None}
    rule = policy.rules[index]
    return {"rule": index, "line": rule.position.line, "level": rule.level}


def noise_sentence(report: Report) -> str:
    """The background volume in a sentence; empty where the run has not measured it."""
    noise = report.noise
    if not noise:
        return ""
    if not noise.events:
        return "Besides the requests of this run, nothing was recorded."
    return (
        f"Besides the requests of this run, {noise.events_per_second:.2g} events and "
        f"{_size(noise.bytes / noise.seconds)} were recorded per second: {daily(noise, noise)} a day."
    )


def daily(share: NoiseShare, noise: NoiseRecord) -> str:
    """The bytes of a day at this rate, in words."""
    return _size(share.bytes / noise.seconds * DAY_S)


def _size(amount: float) -> str:
    units = ["B", "kB", "MB", "GB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        del units[0]
    return f"{amount:.3g} {units[0]}"
