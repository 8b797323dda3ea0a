"""Ends a run on SIGTERM or SIGHUP as on Ctrl-C: with a report of the results so far."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import Any

EXIT_CODE = 128  # plus the number of the signal, as in a shell
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Ending:
    """Turns the first signal into a KeyboardInterrupt; while the report is written, it only sets the exit code.

    The second signal ends the process at once.
    """

    def __init__(self) -> None:
        self._received: signal.Signals | None = None
        self.workers: dict[str, int] = {}  # their process ids; on Ctrl-C the terminal signals them itself
        self._writing = False
        self._installed: list[signal.Signals] = []

    def install(self) -> None:
        """Handle the signals that have no other handler; only in the main thread, as Python requires."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._end)
                self._installed.append(number)

    def restore(self) -> None:
        """Restore the default handlers."""
        for number in self._installed:
            signal.signal(number, signal.SIG_DFL)
        self._installed.clear()

    def hold(self) -> None:
        """Let no signal interrupt from now on: the report is being written."""
        self._writing = True

    @property
    def text(self) -> str:
        """How a signal ended the run; empty if none did."""
        return f"was terminated ({self._received.name})" if self._received else ""

    @property
    def exit_code(self) -> int:
        """The exit code for the signal; 0 if there was none."""
        return EXIT_CODE + self._received if self._received else 0

    def _end(self, number: int, _frame: Any) -> None:
        if self._received is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            raise KeyboardInterrupt  # if the signal is blocked
        self._received = signal.Signals(number)
        for worker in self.workers.values():
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGINT)
        if not self._writing:
            raise KeyboardInterrupt
