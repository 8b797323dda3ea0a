"""How often a property is tried."""

from __future__ import annotations

from hypothesis import settings

LONG = 25  # times as many examples as in CI


def examples(number: int) -> settings:
    """For a property that CI tries on ``number`` examples, the profile "long" on LONG times as many."""
    long = settings.get_current_profile_name() == "long"
    return settings(max_examples=number * LONG if long else number)
