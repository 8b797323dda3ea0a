"""Where counters come from: files, standard input and metrics endpoints; and over how long they were counted."""

from __future__ import annotations

import base64
import os
import re
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from auditproof.errors import AuditproofError
from auditproof.replay.forecast.counters import read_counters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.replay.forecast.counters import Counters

TOKEN = "AUDITPROOF_METRICS_TOKEN"  # noqa: S105 - the name of a variable
_TIMEOUT = 30
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dump:
    """Counters, and when they were read, in seconds since 1970."""

    counters: Counters
    read: float
    name: str


def read_dump(given: str) -> Dump:
    """Read a file, ``-`` (standard input) or ``http(s)://`` as counters.

    A URL may hold a login, ``https://user:password@host/metrics``; the variable TOKEN is a bearer token. Neither is
    ever shown. Raises AuditproofError if it cannot be read, or is not the metrics of an API server.
    """
    moment = time.time()
    if given == "-":
        text = sys.stdin.read()
    elif given.startswith(("http://", "https://")):
        given, login = _without_login(given)
        text = _fetched(given, login)
    else:
        try:
            text = Path(given).read_text(encoding="utf-8", errors="replace")
            moment = Path(given).stat().st_mtime
        except OSError as error:
            raise AuditproofError(f"{given}: the metrics cannot be read: {error.strerror}") from None
    return Dump(read_counters(text, given), moment, given)


def _without_login(url: str) -> tuple[str, str]:
    """A URL without its login, and the Authorization header for it; empty if there is none."""
    begin, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    if at:
        name, _, password = begin.partition(":")
        pair = f"{unquote(name)}:{unquote(password)}".encode()
        return url.replace(f"{begin}@", "", 1), f"Basic {base64.b64encode(pair).decode()}"
    token = os.environ.get(TOKEN, "").strip()
    return url, f"Bearer {token}" if token else ""


def _fetched(url: str, login: str) -> str:
    try:
        request = urllib.request.Request(url)  # noqa: S310 - http or https, see read_dump
        if login:
            request.add_unredirected_header("Authorization", login)  # another host must not see it
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
            text: str = response.read().decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        hint = _login_hint(login) if getattr(error, "code", 0) in (401, 403) else ""
        raise AuditproofError(
            f"{url}: the metrics cannot be fetched: {error}; {hint}kubectl proxy serves them without a login "
            "at http://127.0.0.1:8001/metrics"
        ) from None
    return text


def _login_hint(login: str) -> str:
    if login:
        return "the login is refused, or may not read /metrics; "
    return f"log in with https://user:password@host/metrics, or a bearer token in {TOKEN}; "


def counted(dumps: Sequence[Dump], over: float | None) -> tuple[Counters, float]:
    """The counters of one dump, or what was counted between two, and in how many seconds.

    ``over`` is the time that a user states. Raises AuditproofError if it is unknown otherwise.
    """
    if len(dumps) == 2:
        earlier, later = dumps
        found = later.counters.since(earlier.counters)
        seconds = over or later.read - earlier.read
    else:
        found = dumps[0].counters
        seconds = over or (dumps[0].read - found.started if found.started else 0.0)
    if seconds <= 0:
        names = " and ".join(dump.name for dump in dumps)
        raise AuditproofError(f"{names}: it is unknown over how long this was counted; say so with --over, such as 24h")
    return found, seconds


def duration(text: str) -> float:
    """Seconds of a duration such as ``90m``, ``24h`` or ``7d``.

    Raises ValueError if it is none.

    >>> duration("1.5h")
    5400.0
    """
    found = _DURATION.fullmatch(text)
    if not found or not float(found[1]):
        raise ValueError(f"invalid duration {text!r} (expected one such as 30m, 24h or 7d)")
    return float(found[1]) * _UNITS[found[2]]
