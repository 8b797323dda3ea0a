"""What a terminal tells at the end of a run: no more than a screen holds, and where the rest is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.report.backends import backend_troubles, backends_line
from auditproof.report.ci import troubles
from auditproof.report.counting import counting_lines
from auditproof.report.covering import unmet_requirements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOLD = 12  # so that a screen of 24 lines holds them and the counts
COUNTS = {
    "planned": "planned",
    "performed": "performed",
    "proven": "proven",
    "violated": "VIOLATED",
    "unproven": "UNPROVEN",
    "notSupported": "not supported",
}
_ALWAYS = ("planned", "performed", "proven")


def closing_lines(report: Mapping[str, Any], seconds: float) -> list[str]:
    """The worst of what is not proven, the counts, and how the run ended."""
    wrong = list(_wrong(report))
    lines = wrong[:TOLD]
    lines += [f"... and {len(wrong) - TOLD} more"] if len(wrong) > TOLD else []
    lines += [f"the run {report['ended']}"] if report.get("ended") else []
    lines += report.get("log", {}).get("notSeen", ())
    summary = report["summary"]
    counts = ", ".join(f"{summary[key]} {text}" for key, text in COUNTS.items() if summary[key] or key in _ALWAYS)
    lines += [f"{report['policy']['path']}: {counts} in {seconds:.0f} s"]
    if unmet := unmet_requirements(report):
        lines += [f"requirements that do not hold: {', '.join(unmet)}"]
    return [*lines, *filter(None, [backends_line(report)]), *counting_lines(report)]


def _wrong(report: Mapping[str, Any]) -> Iterator[str]:
    for trouble in troubles(report):
        reason = trouble.text.partition("\n")[0]
        yield f"{trouble.verdict} {trouble.path}:{trouble.line}: {trouble.title}: {reason}"
    for test in backend_troubles(report):
        yield f"{test['verdict']} {test['suite']}:{test['line']}: {test['title']}: {test['reason']}"
