"""The one way to wait: for a named thing, until a deadline.

A wait is never a proof: either the event is observed, or the caller reports what was not observed, and for how long.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class TimedOut(AuditproofError):
    """The event did not happen before the deadline."""


def wait_until(look: Callable[[], T | None], *, what: str, timeout_s: float, pause_s: float = 0.02) -> T:
    """Call ``look`` repeatedly and return its first result that is not None.

    ``what`` completes the sentence "waited for ...". Raises TimedOut after ``timeout_s`` seconds.
    """
    deadline = time.monotonic() + timeout_s
    never = threading.Event()
    while (answer := look()) is None:
        if time.monotonic() >= deadline:
            raise TimedOut(f"timed out after {timeout_s:g} s waiting for {what}")
        never.wait(pause_s)
    return answer
