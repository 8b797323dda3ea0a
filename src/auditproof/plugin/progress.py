"""Progress of a run: a line that is redrawn on a terminal, plain lines elsewhere.

About two hundred cases are performed before pytest reports the first of them, so progress counts the requests that all
processes of the run have sent, not the finished tests.
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
    """Shows ``text(seconds)``, unless it is empty, at intervals from a separate thread, until it is stopped."""

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
        """Stop, and erase the line; may be called again."""
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
    """The terminal reporter's screen; None if it does not write to a file, or a debugger needs the terminal."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.getoption("usepdb") or config.get_verbosity() < -1:
        return None
    return Screen.below(reporter)
