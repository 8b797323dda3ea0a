"""Timestamps of a generated log as text, quickly: a second's text is made once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_SECOND = 1_000_000
_KEPT = 4096  # seconds whose text is kept


class Moments:
    """Timestamps from ``begin`` on, which is in UTC."""

    def __init__(self, begin: datetime) -> None:
        self._begin = begin.replace(tzinfo=None, microsecond=0)
        self._seconds: dict[int, str] = {}

    def text(self, microseconds: int) -> str:
        """The metav1.MicroTime so many microseconds after the beginning, such as 2026-01-05T00:00:01.000042Z.

        >>> from datetime import UTC, datetime
        >>> Moments(datetime(2026, 1, 5, tzinfo=UTC)).text(1_000_042)
        '2026-01-05T00:00:01.000042Z'
        """
        second, rest = divmod(microseconds, _SECOND)
        text = self._seconds.get(second)
        if text is None:
            if len(self._seconds) >= _KEPT:
                self._seconds.clear()
            text = self._seconds[second] = (self._begin + timedelta(seconds=second)).isoformat()
        return f"{text}.{rest:06}Z"
