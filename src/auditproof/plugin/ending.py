"""A run that is told to end by SIGTERM or SIGHUP ends as by Ctrl-C: with a report of what was shown so far."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import Any, NoReturn

EXIT_CODE = 128  # and the number of the signal, as a shell has it
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Ending:
    """Turns the first signal into a KeyboardInterrupt; while a report is written it is only noted, for the exit code.

    The second one ends the process at once.
    """

    def __init__(self) -> None:
        self._received: signal.Signals | None = None
        self.workers: dict[str, int] = {}  # their process ids: a terminal tells them of Ctrl-C itself
        self._writing = False
        self._installed: list[signal.Signals] = []

    def install(self) -> None:
        """Take the signals, where nobody else does; only in the main thread, as Python wants it."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._end)
                self._installed.append(number)

    def restore(self) -> None:
        """Leave the signals as they were."""
        for number in self._installed:
            signal.signal(number, signal.SIG_DFL)
        self._installed.clear()

    def hold(self) -> None:
        """From now on the report is written: nothing is to interrupt that."""
        self._writing = True

    @property
    def text(self) -> str:
        """How it ended the run; empty where it did not."""
        return f"was terminated ({self._received.name})" if self._received else ""

    @property
    def exit_code(self) -> int:
        """What the process ends with for it; 0 where no signal came."""
        return EXIT_CODE + self._received if self._received else 0

    def _end(self, number: int, _frame: Any) -> None:
        if self._received is not None:
            self._end_at_once(number)
        self._received = signal.Signals(number)
        for worker in self.workers.values():
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGINT)
        if not self._writing:
            raise KeyboardInterrupt

    def _end_at_once(self, number: int) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        raise KeyboardInterrupt  # where it was blocked
