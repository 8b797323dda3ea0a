"""A PolicyDiff as text for a terminal, as Markdown for a change ticket, and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space.remarks import odd_text
from auditproof.audit.stages import in_order
from auditproof.text.markdown import markdown, markdown_code, written_table
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.diff.diff import Difference, PolicyDiff
    from auditproof.analysis.space import Row
    from auditproof.analysis.space.client_request import Witnessed
    from auditproof.audit.effect import Effect
    from auditproof.audit.policy.load import Policy, PolicyRule

    RulePairs = Sequence[tuple[PolicyRule | None, PolicyRule | None]]

API_VERSION, KIND = "auditproof/v1", "PolicyDiff"
_WIDTH = 9


def render_text(diff: PolicyDiff, shown: Sequence[str] = ()) -> str:
    """A line with the number of differences, then a block of lines per difference, worst first."""
    blocks = [_headline(diff)]
    blocks += ["\n".join(_block(difference, live)) for difference, live in _with(diff, shown)]
    return "\n\n".join(blocks) + "\n"


def _headline(diff: PolicyDiff) -> str:
    count = len(diff.differences)
    what = "nothing changes" if not count else f"{count} change{'s' if count > 1 else ''}, the worst first"
    return printable(f"{diff.old.path} → {diff.new.path}: {what} (Kubernetes {diff.kubernetes})")


def _with(diff: PolicyDiff, shown: Sequence[str]) -> list[tuple[Difference, str]]:
    texts = [*shown, *[""] * len(diff.differences)]
    return list(zip(diff.differences, texts, strict=False))


def _block(difference: Difference, live: str) -> list[str]:
    lines = row_lines(difference.row, rules_text(difference.rules), difference.witness, live)
    return [f"{difference.change.kind}: {difference.change.text}", *lines]


def row_lines(row: Row[Any], rules: str, witness: Witnessed, live: str = "") -> list[str]:
    """A row of requests as indented lines: who, verbs, what, where, the deciding rules, and an example."""
    rows = [
        ("who", row.who + (" (by a forged credential)" if row.forged else "")),
        ("verbs", row.product.verbs_text),
        ("what", row.product.what + (" (the server responds with 404 or 405)" if row.refused else "")),
        ("where", row.product.where),
        ("odd", odd_text(row.odd)),
        ("rules", rules),
        ("witness", witness_text(witness)),
        ("live", live),
    ]
    return [f"  {name:<{_WIDTH}}{printable(text)}" for name, text in rows if text]


def witness_text(witness: Witnessed) -> str:
    """The request of a witness, or why none can be sent."""
    return str(witness.performable) if witness.performable else f"none can be sent: {witness.reason}"


def rules_text(rules: RulePairs) -> str:
    """The deciding rules with their lines: those of the old policy, then those of the new one."""
    olds = dict.fromkeys(old for old, _ in rules)
    news = dict.fromkeys(new for _, new in rules)
    return f"{_some_rules(list(olds))} → {_some_rules(list(news))}"


def _some_rules(rules: list[PolicyRule | None]) -> str:
    named = [f"{rule.index + 1} (line {rule.position.line})" for rule in rules if rule is not None]
    return ", ".join([*named, *(["no rule"] if None in rules else [])])


def render_markdown(diff: PolicyDiff, shown: Sequence[str] = ()) -> str:
    """A Markdown table, for a change ticket or a pull request comment."""
    head = ["Change", "Who", "Verbs", "What", "Rules", "Witness", *(["Live"] if shown else [])]
    rows = []
    for difference, live in _with(diff, shown):
        row = difference.row
        odd = f"({odd_text(row.odd)})" if row.odd else ""
        what = " ".join(filter(None, [row.product.what, row.product.where, odd]))
        cells = [f"{difference.change.kind}: {difference.change.text}", row.who, row.product.verbs_text, what]
        cells = [*map(markdown, [*cells, rules_text(difference.rules)])]
        cells.append(markdown_code(witness_text(difference.witness)))
        rows.append([*cells, *([markdown(live)] if shown else [])])
    return "\n".join([f"**{markdown(_headline(diff))}**", *(["", *written_table(head, rows)] if rows else [])]) + "\n"


def to_json(diff: PolicyDiff, shown: Sequence[str] = ()) -> str:
    """The complete diff as text in JSON; rules are counted from 0, as in results.json."""
    return json.dumps(to_record(diff, shown), indent=1, ensure_ascii=False) + "\n"


def to_record(diff: PolicyDiff, shown: Sequence[str] = ()) -> dict[str, Any]:
    """The complete diff as JSON values."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "old": _policy(diff.old),
        "new": _policy(diff.new),
        "kubernetes": diff.kubernetes,
        "changes": [_change(difference) | ({"live": live} if shown else {}) for difference, live in _with(diff, shown)],
    }


def _policy(policy: Policy) -> dict[str, str]:
    return {"path": policy.path, "sha256": policy.sha256}


def _change(difference: Difference) -> dict[str, Any]:
    row = difference.row
    # The request in the input format of ``auditproof evaluate``, and as it is sent.
    witness = difference.witness
    asked = witness.attributes
    user = {"user": asked.user.name if asked.user else None, "groups": list(asked.user.groups) if asked.user else []}
    target: dict[str, str] = {"path": asked.path}
    if asked.resource_request:
        target = {
            "namespace": asked.namespace,
            "apiGroup": asked.api_group,
            "resource": asked.resource,
            "subresource": asked.subresource,
            "name": asked.name,
        }
    sent = {"reason": witness.reason}
    if witness.performable:
        sent = {"method": witness.performable.request.method, "uri": witness.performable.request.uri}
    return {
        "kind": str(difference.change.kind),
        "text": difference.change.text,
        "old": _effect(difference.change.old),
        "new": _effect(difference.change.new),
        "who": row.who,
        "forged": row.forged,
        "odd": list(row.odd),
        "verbs": list(row.product.verbs),
        "verbsText": row.product.verbs_text,
        "what": row.product.what,
        "where": row.product.where,
        "resources": list(row.product.resources),
        "paths": list(row.product.paths),
        "served": not row.refused,
        "classes": len(row.classes),
        "rules": rules_data(difference.rules),
        "witness": {**user, "verb": asked.verb, **target, **sent},
    }


def _effect(effect: Effect) -> dict[str, Any]:
    stages = [str(stage) for stage in in_order(effect.stages)]
    return {"level": str(effect.level), "stages": stages, "omitManagedFields": effect.omit_managed_fields}


def rules_data(rules: RulePairs) -> list[dict[str, Any]]:
    """The pairs of deciding rules as JSON values; None where no rule matches."""
    return [{"old": _rule(old), "new": _rule(new)} for old, new in rules]


def _rule(rule: PolicyRule | None) -> dict[str, int] | None:
    return None if rule is None else {"rule": rule.index, "line": rule.position.line}
