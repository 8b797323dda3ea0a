"""Collects cyclic garbage less often during a run.

By default, Python looks for it after every 700 new objects, and often enough in all objects of the process. A run keeps
the results of all its tests, so that was a seventh of its CPU time, and found next to nothing.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

THRESHOLDS = (10_000, 20, 20)


def restore_at_the_end(config: pytest.Config) -> None:
    """Let the process collect garbage as before once pytest has ended, after its own last search."""
    thresholds = gc.get_threshold()
    config.add_cleanup(lambda: gc.set_threshold(*thresholds))
    config.add_cleanup(gc.unfreeze)


def collect_less() -> None:
    """From here on, search only objects made later: everything that is collected by pytest lives until it ends.

    A process that searches less often already keeps its way.
    """
    gc.freeze()
    if 0 < gc.get_threshold()[0] < THRESHOLDS[0]:
        gc.set_threshold(*THRESHOLDS)


def search_once_more(*, everything: bool) -> None:
    """Search what was made since then, once, and set apart what is left: as it ends, pytest itself searches twice.

    Without ``everything`` only the latest objects are searched, for a run of nothing but case files: no test of a
    user has made any of the older ones.
    """
    if gc.get_freeze_count():
        gc.collect(2 if everything else 1)
        gc.freeze()
