"""A replay as text, Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from auditproof.text.markdown import markdown, table
from auditproof.text.printable import printable
from auditproof.text.sizes import readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.replay.price import Price
    from auditproof.replay.result import Part, Replay, Volume

FEW = 12
_HOUR = 1 / 24


def headline(replay: Replay, price: Price | None = None) -> str:
    """The result in one sentence: "76 % less, loses 3 classes of requests, blinds 1 detection rule"."""
    percent = abs(replay.saved) * 100
    parts = ["nothing changes" if not percent else f"{percent:.1f} % {'less' if replay.saved > 0 else 'more'}"]
    if price:
        parts[0] += (
            f", {_money(replay, price, replay.after)} instead of {_money(replay, price, replay.recorded)} a month"
        )
    if replay.unknown.bodies:
        parts.append(f"plus {replay.unknown.bodies:,} bodies that the log does not have")
    if replay.base:
        parts.append(_count(len(replay.lost), "loses {} class{} of requests", "es"))
    if replay.blinded is not None:
        parts.append(_count(len(replay.blinded), "blinds {} detection rule{}", "s"))
    return "; ".join(part for part in parts if part)


def _count(number: int, text: str, plural: str) -> str:
    return text.format(f"{number:,}" if number else "no", "" if number == 1 else plural)


def _money(replay: Replay, price: Price, volume: Volume) -> str:
    return price.text(price.of_month(replay.per_day(volume.bytes)))


def _sections(replay: Replay, price: Price | None) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """The tables: title, header, rows."""
    base = ["base"] if replay.base else []
    header = ["", "events", "bytes", "share", *base, "after: events", "after: bytes", "saved"]
    yield "Volume", *_volumes(replay, price)
    changes = asdict(replay.changes)
    names = {"kept": "kept as recorded", "stage_dropped": "dropped at this stage"}
    rows = [[names.get(key, key), f"{one['events']:,}", readable(one["bytes"])] for key, one in changes.items()]
    yield "Recorded events", ["what becomes of them", "events", "bytes as recorded"], rows
    for title, parts in (
        ("By rule of the policy", replay.rules),
        ("By level of the policy", replay.levels),
        ("By resource", replay.resources),
        ("By verb", replay.verbs),
        ("By user", replay.users),
        ("By day", replay.by_day),
    ):
        shown = parts if title == "By rule of the policy" else parts[:FEW]
        yield title, header, [_part(part, replay) for part in shown]


def _volumes(replay: Replay, price: Price | None) -> tuple[list[str], list[list[str]]]:
    header = ["", "events", "bytes", "events a day", "bytes a day", *(["30 days"] if price else [])]
    found = [("as recorded", replay.recorded), (f"with {replay.policy}", replay.after)]
    if replay.base_volume:
        found.insert(1, (f"with {replay.base} (base)", replay.base_volume))
    return header, [
        [
            name,
            f"{one.events:,}",
            readable(one.bytes),
            f"{replay.per_day(one.events):,.0f}",
            readable(replay.per_day(one.bytes)),
            *([_money(replay, price, one)] if price else []),
        ]
        for name, one in found
    ]


def _part(part: Part, replay: Replay) -> list[str]:
    share = part.recorded.bytes / replay.recorded.bytes if replay.recorded.bytes else 0.0
    saved = 1 - part.after.bytes / part.recorded.bytes if part.recorded.bytes else 0.0
    return [
        part.name or "(none)",
        f"{part.recorded.events:,}",
        readable(part.recorded.bytes),
        f"{share * 100:.1f} %",
        *([readable(part.base.bytes)] if part.base else []),
        f"{part.after.events:,}",
        readable(part.after.bytes),
        f"{round(saved * 100)} %",
    ]


def _notes(replay: Replay) -> Iterator[str]:
    """What the numbers do not show, each as a sentence or more."""
    one = replay.unknown
    if one.bodies:
        known = one.bodies - one.unmeasured
        text = (
            f"{one.bodies:,} bodies would be recorded that the log does not have: the bytes after are a lower bound. "
        )
        if known:
            text += (
                f"For {known:,} of them this log has bodies of the same verb and resource: by their mean, "
                f"{readable(one.estimated_bytes)} more; by the largest, at most {readable(one.most_bytes)} more. "
            )
        yield (text + (f"No size is known of {one.unmeasured:,}." if one.unmeasured else "")).strip()
    if not replay.base:
        yield (
            "Requests that were not recorded are not in the log. If the policy records any of them, that is not "
            "counted; --base OLD names them."
        )
    elif replay.starts:
        yield f"Not in the log, because the base does not record it: {_few(replay.starts)}"
    for deviation in replay.deviations[:FEW]:
        yield (
            f"The log deviates from the base: {deviation.events:,} events recorded at {deviation.recorded}, "
            f"computed: {deviation.computed}."
        )
    if 0 < replay.days < 1:
        yield f"The log spans {replay.days / _HOUR:.1f} hours: numbers of a day and a month are extrapolated from that."
    for name, count in replay.other_logs.items():
        yield f"{count:,} lines belong to another log ({name})."
    yield from replay.remarks


def _few(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - FEW:,} more" if len(texts) > FEW else ""
    return "; ".join(texts[:FEW]) + more


def _missing(replay: Replay) -> list[str]:
    lines = [
        f"{one.where}: {one.reason}{f' ({one.count:,} times)' if one.count > 1 else ''}"
        for one in replay.not_counted[:FEW]
    ]
    more = len(replay.not_counted) - FEW
    return [*lines, f"and {more:,} more, all of them in --format json"] if more > 0 else lines


def as_text(replay: Replay, price: Price | None = None) -> str:
    """For a terminal."""
    blocks = [f"{replay.policy}: {headline(replay, price)}", _span(replay)]
    for title, header, rows in _sections(replay, price):
        blocks.append("\n".join([title, *_aligned([header, *rows])]) if rows else f"{title}\n  none")
    if replay.candidates:
        blocks.append("\n\n".join(["Rules that would save most (each as the first rule)", *_candidates(replay)]))
    for title, texts in _lists(replay):
        blocks.append("\n".join([title, *(f"  {printable(text)}" for text in texts)]))
    return "\n\n".join(blocks)


def _span(replay: Replay) -> str:
    span = f" from {replay.first} to {replay.last} ({replay.days:.1f} days)" if replay.first else ""
    return printable(f"{replay.recorded.events:,} events{span} in {_count(replay.files, '{} file{}', 's')}")


def _lists(replay: Replay) -> Iterator[tuple[str, list[str]]]:
    if replay.lost:
        yield f"Lost, compared with {replay.base}", [*replay.lost[:FEW], *_and_more(replay.lost)]
    if replay.blinded:
        yield "Detection rules", [*replay.blinded[:FEW], *_and_more(replay.blinded)]
    if missing := _missing(replay):
        yield "NOT COUNTED: the sums lack what is in these places", missing
    if notes := list(_notes(replay)):
        yield "Notes", notes


def _and_more(texts: Sequence[str]) -> list[str]:
    return [f"and {len(texts) - FEW:,} more"] if len(texts) > FEW else []


def _candidates(replay: Replay) -> list[str]:
    found = []
    for number, one in enumerate(replay.candidates, 1):
        lines = [f"  {number}. {_candidate(one)}", *(f"     {line}" for line in one.yaml.splitlines())]
        found.append("\n".join(printable(line) for line in lines))
    return found


def _candidate(one: Any) -> str:
    needs = ""
    if one.blinded is not None:
        needs = f"; blinds {_few(one.blinded)}" if one.blinded else "; no detection rule needs them"
    what = "bytes that are left" if one.level == "None" else "bytes that are left, by their bodies alone"
    return f"{one.name}: {one.share * 100:.1f} % of the {what}, {readable(one.saved.bytes)}{needs}"


def _aligned(rows: list[list[str]]) -> list[str]:
    """Columns: the first to the left, numbers to the right."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.rjust(widths[n]) if n else cell.ljust(widths[0]) for n, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def as_markdown(replay: Replay, price: Price | None = None) -> str:
    """For a pull request or a page."""
    lines = [f"**{markdown(replay.policy)}: {markdown(headline(replay, price))}**", "", markdown(_span(replay))]
    for title, header, rows in _sections(replay, price):
        lines += ["", f"### {title}", "", *(table(header, rows, "---:") if rows else ["none"])]
    if replay.candidates:
        lines += ["", "### Rules that would save most (each as the first rule)"]
    for number, one in enumerate(replay.candidates, 1):
        lines += ["", f"{number}. {markdown(_candidate(one))}", "", "   ```yaml"]
        lines += [*(f"   {printable(line)}" for line in one.yaml.splitlines()), "   ```"]
    for title, texts in _lists(replay):
        lines += ["", f"### {markdown(title)}", "", *(f"- {markdown(text)}" for text in texts)]
    return "\n".join(lines)


def as_json(replay: Replay, price: Price | None = None) -> str:
    """For programs: the fields of ``Replay``, the headline, and the money of 30 days."""
    found: dict[str, Any] = {"headline": headline(replay, price), "saved": replay.saved, **asdict(replay)}
    if price:
        volumes = {"recorded": replay.recorded, "after": replay.after, "base": replay.base_volume}
        month = {key: price.of_month(replay.per_day(one.bytes)) for key, one in volumes.items() if one}
        found["month"] = {**month, "currency": price.currency or price.sign}
    return json.dumps(found, ensure_ascii=False, indent=2)


FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}
