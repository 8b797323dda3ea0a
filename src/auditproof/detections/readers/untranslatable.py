"""What no reader can translate. Pure."""

from __future__ import annotations

import re
import warnings
from ipaddress import ip_network


class Untranslatable(Exception):
    """A part of a rule that cannot be translated exactly; the message is the reason."""


def checked_regex(pattern: str) -> str:
    """A regular expression that Python reads as other engines do. Raises Untranslatable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python warns of what other engines read differently, such as [[:alpha:]]
            re.compile(pattern)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise Untranslatable(f"the regular expression {pattern} cannot be evaluated: {error}") from None
    return pattern


def checked_network(value: str) -> str:
    """A network of IP addresses in CIDR notation. Raises Untranslatable."""
    try:
        ip_network(value, strict=False)
    except ValueError:
        raise Untranslatable(f"{value} is no network; expected CIDR notation, such as 10.0.0.0/8") from None
    return value
