"""How far a run is, while it is under way: a line that is drawn anew on a terminal, plain lines elsewhere.

Cases are performed some two hundred at a time before pytest tells the first of them, so the actions that are sent are
counted, by every process of the run, and not the tests that are done.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from auditproof.plugin.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

REDRAWN_EVERY_S, TOLD_EVERY_S = 0.2, 10.0


class Progress:
    """Tells ``text(seconds)``, unless it is empty, again and again, from a thread of its own, until it is stopped."""

    def __init__(self, config: pytest.Config, text: Callable[[float], str]) -> None:
        self._text = text
        self._begun = time.monotonic()
        self._stopped = threading.Event()
        self._screen = _screen(config)
        self._redrawn = self._screen is not None and self._screen.can_redraw(config.getoption("capture"))
        self._thread = threading.Thread(target=self._tell, name="auditproof-progress", daemon=True)
        if self._screen is not None and (self._redrawn or config.get_verbosity() >= 0):
            self._thread.start()

    def stop(self) -> None:
        """Leave the terminal as if nothing had been told on it; may be called again."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._screen is not None:
            self._screen.close()
            self._screen = None

    def _tell(self) -> None:
        assert self._screen is not None
        tell = self._screen.draw if self._redrawn else self._screen.insert
        while not self._stopped.wait(REDRAWN_EVERY_S if self._redrawn else TOLD_EVERY_S):
            if text := self._text(time.monotonic() - self._begun):
                tell(text)


def _screen(config: pytest.Config) -> Screen | None:
    """The terminal reporter's screen; None where it does not write to a file, or a debugger is to have the terminal."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.getoption("usepdb") or config.get_verbosity() < -1:
        return None
    return Screen.below(reporter)
