"""The one way to wait: for a named thing, until a deadline.

A wait is never a proof. What it waits for is either seen, or the caller says what was not seen and for how long.
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
    """What was waited for did not happen in time."""


def wait_until(look: Callable[[], T | None], *, what: str, timeout_s: float, pause_s: float = 0.02) -> T:
    """Return the first answer of ``look`` that is not None.

    ``what`` completes the sentence "waited for ...". Raises TimedOut after ``timeout_s`` seconds.
    """
    deadline = time.monotonic() + timeout_s
    never = threading.Event()
    while (answer := look()) is None:
        if time.monotonic() >= deadline:
            raise TimedOut(f"waited {timeout_s:g} s for {what}, in vain")
        never.wait(pause_s)
    return answer
