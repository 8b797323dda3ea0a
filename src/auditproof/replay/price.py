"""The price of recorded bytes: ``0.50/GiB``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS = {
    **dict(zip(("MB", "GB", "TB"), (10**6, 10**9, 10**12), strict=True)),
    **dict(zip(("MiB", "GiB", "TiB"), (2**20, 2**30, 2**40), strict=True)),
}
_PRICE = re.compile(r"\s*([$€£]?)\s*(\d+(?:\.\d+)?)\s*([A-Z]{3})?\s*/\s*([MGT]i?B)\s*", re.ASCII)
DAYS = 30  # of a month


@dataclass(frozen=True, slots=True)
class Price:
    """An amount of money for a number of bytes, with the signs around the amount."""

    amount: float
    bytes: int
    sign: str = ""
    currency: str = ""

    def of_month(self, bytes_per_day: float) -> float:
        """What 30 days cost."""
        return self.amount * bytes_per_day * DAYS / self.bytes

    def text(self, amount: float) -> str:
        """An amount of this currency."""
        return f"{self.sign}{amount:,.2f}{f' {self.currency}' if self.currency else ''}"


def parse_price(text: str) -> Price:
    """Read a price such as ``0.50/GiB``, ``$0.50/GB`` or ``0.50 EUR/GiB``.

    Raises ValueError if it is none.

    >>> parse_price("$0.50/GiB").of_month(2**30)
    15.0
    """
    found = _PRICE.fullmatch(text)
    if found is None:
        raise ValueError(
            f"invalid price {text!r} (expected an amount per unit, such as 0.50/GiB; units: {', '.join(_UNITS)})"
        )
    return Price(float(found[2]), _UNITS[found[4]], found[1], found[3] or "")
