"""A forecast as text, Markdown and JSON; each says that it is one."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from auditproof.text.markdown import markdown, table
from auditproof.text.printable import printable
from auditproof.text.sizes import readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.replay.forecast.forecast import Bounds, Forecast
    from auditproof.replay.price import Price

_FEW = 15
WHAT_IT_IS = (
    "FORECAST, not a measurement. The counters name no user, namespace or object, so a rule about those gives a range, "
    "from none of the requests that it may decide to all of them. Sizes are means of other events."
)


def remarks(found: Forecast) -> Iterator[str]:
    """What the forecast does not cover."""
    yield f"Sizes: {found.origin}."
    if found.unmeasured:
        yield f"{found.unmeasured:.0%} of the requests are of kinds whose size was not measured; their verb's is used."
    if found.uncounted:
        yield (
            f"Not included: {found.uncounted:,.0f} requests a day for which the server evaluated its policy, and which "
            "no handler has counted: refused ones (401, 403), other APIs' and other paths, and what is still open."
        )
    else:
        yield "Not included: requests that no handler counts: refused ones (401, 403), other APIs' and other paths."


def as_text(found: Forecast, base: Forecast | None = None, price: Price | None = None) -> str:
    """The forecast as text."""
    lines = [WHAT_IT_IS, "", f"{found.requests:,.0f} requests a day would become", ""]
    for title, rows in _tables(found, base, price):
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        lines.append(title)
        for row in rows:
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  " + "  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
        lines.append("")
    return "\n".join([*lines, *map(printable, remarks(found))])


def as_markdown(found: Forecast, base: Forecast | None = None, price: Price | None = None) -> str:
    """The forecast as Markdown."""
    parts = [f"**{WHAT_IT_IS}**", f"{found.requests:,.0f} requests a day would become:"]
    for title, (header, *rows) in _tables(found, base, price):
        parts += [f"### {title}", "\n".join(table(header, rows))]
    return "\n\n".join([*parts, *(markdown(one) for one in remarks(found))])


def as_json(found: Forecast, base: Forecast | None = None, price: Price | None = None) -> str:
    """The forecast as JSON; numbers are a day's, costs those of 30 days."""
    document: dict[str, Any] = {
        "forecast": True,
        "policy": found.policy.path,
        "requests": round(found.requests, 1),
        "total": _plain(found.total, price),
        "base": _plain(base.total, price) if base else None,
        "rules": [
            {"rule": None if rule is None else rule + 1, **_plain(one, price)} for rule, one in found.rules.items()
        ],
        "levels": {str(level): _plain(one, price) for level, one in found.levels.items()},
        "series": {name: _plain(one, price) for name, one in found.series.items()},
        "uncounted": round(found.uncounted, 1),
        "remarks": list(remarks(found)),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _plain(bounds: Bounds, price: Price | None) -> dict[str, float]:
    plain = {name: round(value, 1) for name, value in asdict(bounds).items()}
    if price is None:
        return plain
    least, most = (round(price.of_month(count), 2) for count in (bounds.least_bytes, bounds.most_bytes))
    return plain | {"least_cost": least, "most_cost": most}


def _tables(found: Forecast, base: Forecast | None, price: Price | None) -> Iterator[tuple[str, list[list[str]]]]:
    header: list[str] = ["a day", "events", "bytes", *(["30 days"] if price else [])]
    cells = partial(_cells, price=price)
    totals = [["all", *cells(found.total)]]
    if base:
        totals.append([f"with {printable(base.policy.path)}", *cells(base.total)])
    yield "In all", [header, *totals]
    rules = sorted(found.rules.items(), key=lambda item: -item[1].most_bytes)
    yield "By rule", [header, *([_rule(found, rule), *cells(one)] for rule, one in rules)]
    yield "By level", [header, *([str(level), *cells(one)] for level, one in sorted(found.levels.items()))]
    few = list(found.series.items())[:_FEW]
    yield "Largest kinds of requests", [header, *([printable(name), *cells(one)] for name, one in few)]


def _rule(found: Forecast, index: int | None) -> str:
    if index is None:
        return "no rule"
    rule = found.policy.rules[index]
    return f"{printable(found.policy.path)}:{rule.position.line}: rule {index + 1} ({rule.level})"


def _cells(bounds: Bounds, price: Price | None) -> list[str]:
    shown = [
        (f"{bounds.least_events:,.0f}", f"{bounds.most_events:,.0f}"),
        (readable(bounds.least_bytes), readable(bounds.most_bytes)),
    ]
    if price is not None:
        shown.append((price.text(price.of_month(bounds.least_bytes)), price.text(price.of_month(bounds.most_bytes))))
    return [low if low == high else f"{low} to {high}" for low, high in shown]
