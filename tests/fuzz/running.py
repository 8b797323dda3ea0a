"""A target fed with examples: the same ones each time, or those of a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.targets import Target


def feed(target: Target, examples: int, seed: int | None = None, hold: Callable[[bytes], None] | None = None) -> None:
    """Raises what the target raises on the smallest input that was found to be a fault."""

    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=seed is None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(target.inputs)
    def run(data: bytes) -> None:
        (hold or target.hold)(data)

    (run if seed is None else hypothesis.seed(seed)(run))()
