"""From the table of sums to the result: volumes before and after, by everything that a reader asks for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditproof.replay.result import Changes, Deviation, NotCounted, Part, Replay, Unknown, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.audit.policy.load import Policy
    from auditproof.replay.inputs.feed import Trouble
    from auditproof.replay.query import PolicyColumns
    from auditproof.replay.sums import Sums

SHOWN = 15  # parts of a kind that the result has, largest first
_RANK = "CASE {} WHEN 'None' THEN 0 WHEN 'Metadata' THEN 1 WHEN 'Request' THEN 2 ELSE 3 END"
# Verbs of requests that may have a body; a get, list or watch has none.
_SENDING = "('create', 'update', 'patch', 'delete', 'deletecollection')"
# A watch is not recorded with its response, nor is a stream (kube.attributes.LONG_RUNNING_SUBRESOURCES).
_STREAMS = "(verb = 'watch' OR verb = 'proxy' OR regexp_matches(what, '/(attach|exec|proxy|log|portforward)$'))"


def summarize(
    sums: Sums,
    new: PolicyColumns,
    base: PolicyColumns | None,
    troubles: Sequence[Trouble] = (),
    *,
    files: int = 0,
    forms: dict[str, int] | None = None,
    others: dict[str, int] | None = None,
    remarks: tuple[str, ...] = (),
) -> Replay:
    """The result of a replay, from sums of any engine; ``new`` and ``base`` are columns that they were made with."""
    _views(sums, new, base)
    first, last = _one(sums, "min(first), max(last)")
    recorded, after, before = _volumes(sums)
    return Replay(
        policy=new.policy.path,
        base=base.policy.path if base else None,
        files=files,
        first=first or "",
        last=last or "",
        days=_days(first, last),
        recorded=recorded,
        after=after,
        base_volume=before if base else None,
        changes=_changes(sums),
        unknown=_unknown(sums),
        rules=_rules(sums, new, base=base is not None),
        levels=_parts(sums, "level_after", base=base is not None),
        verbs=_parts(sums, "verb", base=base is not None),
        resources=_parts(sums, "what", base=base is not None),
        users=_parts(sums, "username", base=base is not None),
        by_day=tuple(sorted(_parts(sums, "day", base=base is not None, limit=400), key=lambda one: one.name)),
        candidates=(),
        deviations=_deviations(sums) if base else (),
        not_counted=tuple(_not_counted(one) for one in troubles),
        other_logs=others or {},
        forms=forms or {},
        in_python=sums.in_python,
        remarks=remarks,
    )


def _not_counted(one: Trouble) -> NotCounted:
    return NotCounted(one.file if one.line is None else f"{one.file}:{one.line}", one.reason, one.count)


def after_columns(one: PolicyColumns, name: str) -> str:
    """Events and bytes that a policy records of a row of sums, as columns ``events_NAME`` and ``bytes_NAME``.

    A level below the recorded one takes away bodies and changes the name of the level, and nothing else in the event:
    LogRequestObject and LogResponseObject complete objectRef and responseStatus at every level
    (staging/src/k8s.io/apiserver/pkg/audit/request.go). A level above it adds bodies of unknown size.
    """
    level, rank = one.level, _RANK.format(one.level)
    kept = f"{level} <> 'None' AND NOT {one.omitted}"
    bodies = f"CASE WHEN {rank} < 3 THEN response_bytes ELSE 0 END + CASE WHEN {rank} < 2 THEN request_bytes ELSE 0 END"
    size = f"bytes - ({bodies}) + events * (strlen({level}) - strlen(recorded_level))"
    return (
        f"CASE WHEN {kept} THEN events ELSE 0 END AS events_{name}, "
        f"CASE WHEN {kept} THEN {size} ELSE 0 END AS bytes_{name}"
    )


def _views(sums: Sums, new: PolicyColumns, base: PolicyColumns | None) -> None:
    columns = [after_columns(new, "after")]
    columns.append(after_columns(base, "base") if base else "0 AS events_base, 0 AS bytes_base")
    columns.append(f"{base.level if base else 'recorded_level'} AS level_base")
    columns.append(f"{base.omitted if base else 'false'} AS omitted_base")
    columns += [f"{new.rule} AS rule_after", f"{new.level} AS level_after", f"{new.omitted} AS omitted_after"]
    ranks = f"{_RANK.format('recorded_level')} AS rank_recorded, {_RANK.format(new.level)} AS rank_after"
    sums.connection.execute(
        f"CREATE OR REPLACE TEMP VIEW replayed AS SELECT * EXCLUDE ({', '.join(_replaced(new, base))}), "
        f"{', '.join(columns)}, {ranks} FROM sums"
    )


def _replaced(new: PolicyColumns, base: PolicyColumns | None) -> list[str]:
    """Columns that the view has under other names."""
    return [name for one in (new, base) if one for name in (one.rule, one.level, one.omitted)]


def _one(sums: Sums, columns: str, where: str = "true") -> tuple[Any, ...]:
    found = sums.connection.execute(f"SELECT {columns} FROM replayed WHERE {where}").fetchone()
    return found or ()


def _volumes(sums: Sums, where: str = "true") -> tuple[Volume, Volume, Volume]:
    names = ("", "_after", "_base")
    columns = ", ".join(f"coalesce(sum({one}{name}), 0)::BIGINT" for name in names for one in ("events", "bytes"))
    found = _one(sums, columns, where)
    return Volume(found[0], found[1]), Volume(found[2], found[3]), Volume(found[4], found[5])


def _days(first: str | None, last: str | None) -> float:
    if not first or not last:
        return 0.0
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds() / 86400


def _changes(sums: Sums) -> Changes:
    recorded = "level_after <> 'None' AND NOT omitted_after"
    return Changes(
        kept=_volumes(sums, f"{recorded} AND rank_after = rank_recorded")[0],
        lowered=_volumes(sums, f"{recorded} AND rank_after < rank_recorded")[0],
        raised=_volumes(sums, f"{recorded} AND rank_after > rank_recorded")[0],
        dropped=_volumes(sums, "level_after = 'None'")[0],
        stage_dropped=_volumes(sums, "level_after <> 'None' AND omitted_after")[0],
    )


def _unknown(sums: Sums) -> Unknown:
    """Bodies of raised events, measured on other events of the same verb and resource, if there are any."""
    found = [0, 0, 0, 0]
    for body, rank, may in (
        ("request", 2, f"verb IN {_SENDING} AND what NOT LIKE '/%'"),
        ("response", 3, f"NOT {_STREAMS} AND what NOT LIKE '/%'"),
    ):
        complete = "stage = 'ResponseComplete'"
        measured = (
            f"SELECT verb, what, sum({body}_bytes) / sum(events) AS mean, max(largest_{body}) AS largest "
            f"FROM replayed WHERE rank_recorded >= {rank} AND {complete} GROUP BY ALL"
        )
        missing = (
            "SELECT verb, what, sum(events) AS bodies FROM replayed WHERE level_after <> 'None' AND NOT omitted_after "
            f"AND rank_after >= {rank} AND rank_recorded < {rank} AND {complete} AND {may} GROUP BY ALL"
        )
        row = sums.connection.execute(
            "SELECT sum(bodies), sum(bodies * mean), sum(bodies * largest), sum(bodies) FILTER (mean IS NULL) "
            f"FROM ({missing}) LEFT JOIN ({measured}) USING (verb, what)"
        ).fetchone()
        found = [total + round(one or 0) for total, one in zip(found, row or (0,) * 4, strict=True)]
    return Unknown(*found)


def _parts(sums: Sums, column: str, *, base: bool, limit: int = SHOWN) -> tuple[Part, ...]:
    """The largest parts, by the bytes recorded or recorded after the change."""
    names = ("events", "bytes", "events_after", "bytes_after", "events_base", "bytes_base")
    totals = ", ".join(f"sum({name})::BIGINT" for name in names)
    order = "greatest(sum(bytes), sum(bytes_after)) DESC, 1"
    rows = sums.connection.execute(
        f"SELECT {column}::VARCHAR, {totals} FROM replayed GROUP BY 1 ORDER BY {order} LIMIT {limit}"
    ).fetchall()
    return tuple(
        Part(name, Volume(a, b), Volume(c, d), Volume(e, f) if base else None) for name, a, b, c, d, e, f in rows
    )


def _rules(sums: Sums, new: PolicyColumns, *, base: bool) -> tuple[Part, ...]:
    """Every rule that decides about an event of the log, in the order of the policy; last, what no rule matches."""
    parts = {int(one.name): one for one in _parts(sums, "rule_after", base=base, limit=100_000)}
    order = sorted(parts, key=lambda index: (index < 0, index))
    return tuple(
        Part(rule_name(new.policy, index), one.recorded, one.after, one.base)
        for index in order
        for one in [parts[index]]
    )


def rule_name(policy: Policy, index: int) -> str:
    """What a rule is called: file and line, its number and level."""
    rule = policy.rule_at(None if index < 0 else index)
    if rule is None:
        return "no rule matches (not recorded)"
    return f"{policy.path}:{rule.position.line} (rule {index + 1}, {rule.level})"


def _deviations(sums: Sums) -> tuple[Deviation, ...]:
    computed = "CASE WHEN omitted_base AND level_base <> 'None' THEN 'stage omitted' ELSE level_base END"
    rows = sums.connection.execute(
        f"SELECT recorded_level, {computed}, sum(events)::BIGINT FROM replayed "
        "WHERE recorded_level <> level_base OR omitted_base GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    ).fetchall()
    return tuple(Deviation(*row) for row in rows)
