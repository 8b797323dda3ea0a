"""What a reader has to know about a judged log: how much was read, in which forms, and what it cannot show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.report.model import LogRecord, Report


def counted(number: int, what: str) -> str:
    """A number with its noun: ``1 line``, ``2 lines``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def log_lines(report: Report) -> list[str]:
    """What was read, and what that cannot show; nothing where no log was judged."""
    return [*_read(report.log), *report.log.not_seen] if report.log and report.log.files else []


def _read(log: LogRecord) -> Iterator[str]:
    forms: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for file in log.files:
        forms.update(file.forms)
        others.update(file.others)
    encodings = dict.fromkeys(encoding for file in log.files for encoding in file.encodings)
    lines, events, blank = (
        sum(numbers) for numbers in zip(*((one.lines, one.events, one.blank) for one in log.files), strict=True)
    )
    found = ", ".join(form if len(forms) == 1 else f"{count} {form}" for form, count in forms.most_common())
    opened = "; ".join(filter(None, (found, ", ".join(encodings))))
    amount = f"{counted(len(log.files), 'file')}, {counted(lines, 'line')}, {counted(events, 'event')}"
    yield f"read: {amount}" + (f" ({opened})" if opened else "")
    passed = [counted(blank, "blank line")] if blank else []
    passed += [f"{counted(count, 'line')} of {other}" for other, count in others.most_common()]
    if passed:
        yield f"passed over: {', '.join(passed)}"
