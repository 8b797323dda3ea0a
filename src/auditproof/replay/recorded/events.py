"""Lines of JSON as judged events, in DuckDB's own SQL: which of them may be counted, and as what.

``plain`` lines are those in which Python would find nothing wrong: JSON that both read alike, all fields of the types
that ``event_form.check_event`` expects, a request that is exact (see ``request``), and the level that the policy
decides, at a stage that it does not omit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from auditproof.audit.decide import decided_by
from auditproof.audit.event import Stage
from auditproof.kube.attributes import LONG_RUNNING_PATHS, LONG_RUNNING_SUBRESOURCES, LONG_RUNNING_VERBS
from auditproof.proof.offline import TRUNCATED
from auditproof.replay import sql
from auditproof.replay.duckdb_events import MAYBE_RESOURCE, in_group
from auditproof.replay.duckdb_forms import IS_STRICT, REFERENCE, TEXT, TEXTS, USER, compact, is_time
from auditproof.replay.expression import NO_RULE, rule_condition
from auditproof.replay.query import EVENT, PolicyColumns, extended, judged
from auditproof.replay.request import Step, request_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.expressions import Expr

    from auditproof.analysis.requirements import Requirement
    from auditproof.audit.policy.load import Policy

BITS = {Stage.REQUEST_RECEIVED: 1, Stage.RESPONSE_STARTED: 2, Stage.RESPONSE_COMPLETE: 4}  # a Panic is never counted
_TEXTS = {
    "recorded_level": "level",
    "audit_id": "auditID",
    "stage": "stage",
    "request_uri": "requestURI",
    "verb": "verb",
    "received": "requestReceivedTimestamp",
    "stage_time": "stageTimestamp",
    "username": "user.username",
    "namespace": "objectRef.namespace",
    "api_group": "objectRef.apiGroup",
    "api_version": "objectRef.apiVersion",
    "resource": "objectRef.resource",
    "subresource": "objectRef.subresource",
    "name": "objectRef.name",
    "code": "responseStatus.code",
}
# In the order of staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/types.go.
_STATUS = compact(
    kind=TEXT,
    apiVersion=TEXT,
    metadata=r"\{\}",
    status=TEXT,
    message=TEXT,
    reason=TEXT,
    details=compact(name=TEXT, group=TEXT, kind=TEXT, uid=TEXT),
    code="[1-9][0-9]{0,8}",
)
# The fields whose JSON is looked at, and the form in which each is plain.
_FORMS = {
    "auditID": TEXT,
    "requestURI": TEXT,
    "verb": TEXT,
    "user": USER,
    "impersonatedUser": USER,
    "authenticationMetadata": compact(impersonationConstraint=TEXT),
    "sourceIPs": TEXTS,
    "userAgent": TEXT,
    "objectRef": REFERENCE,
    "responseStatus": _STATUS,
    "annotations": rf"\{{(?:{TEXT}:{TEXT}(?:,{TEXT}:{TEXT})*)?\}}",
}
_ALWAYS = ("auditID", "requestURI", "verb", "user")
_FREE = ("$", "$.user.extra", "$.impersonatedUser.extra", "$.annotations")  # objects in which a key may be repeated
_KEYS = (
    "kind,apiVersion,level,auditID,stage,requestURI,verb,user(,impersonatedUser)?(,authenticationMetadata)?"
    "(,sourceIPs)?(,userAgent)?(,objectRef)?(,responseStatus)?(,requestObject)?(,responseObject)?"
    ",requestReceivedTimestamp,stageTimestamp(,annotations)?"
)


def judged_lines(lines: str, policy: Policy, requirements: Sequence[Requirement]) -> str:
    """One row per line of a table with the columns ``n`` and ``line``, see ``_ROW`` and ``requirement_column``."""
    one = PolicyColumns(policy)
    rules = [rule for each in requirements for clause in each.clauses for rule in clause.rules]
    named = any(entry.resource_names for rule in rules for entry in rule.resources)
    query = judged(exp.select("*").from_("formed_lines"), [one], in_group, names=named)
    query = extended(query, Step({"rule_omits": _omitted_bits(policy)}))
    if requirements:
        query = extended(query, Step({requirement_column(n): _selected(each) for n, each in enumerate(requirements)}))
    columns = [*(f"{value} AS {name}" for name, value in _ROW.items())]
    selected = map(requirement_column, range(len(requirements)))
    columns += [f"formed AND exact AND {name} AS {name}" for name in selected]
    return (
        f"WITH formed_lines AS ({_formed(lines)}), judged_lines AS ({query.sql('duckdb')}), "
        f"plain_lines AS (SELECT *, {_PLAIN} AS plain, {_WHAT} AS what FROM judged_lines) "
        f"SELECT {', '.join(columns)} FROM plain_lines"
    )


def requirement_column(number: int) -> str:
    """The column that says whether a requirement selects an event."""
    return f"selected_{number}"


def _selected(requirement: Requirement) -> Expr:
    """See ``Clause.selects``."""
    request = request_columns(EVENT, in_group)
    clauses = []
    for clause in requirement.clauses:
        user = sql.none_of(EVENT.authenticated) if clause.failed else EVENT.authenticated
        selected = sql.any_of([sql.none_of(sql.true()), *(rule_condition(rule, request) for rule in clause.selected)])
        excepted = [sql.none_of(rule_condition(rule, request)) for rule in clause.excepted]
        clauses.append(sql.all_of([user, selected, *excepted]))
    return sql.any_of([sql.none_of(sql.true()), *clauses])


def _omitted_bits(policy: Policy) -> Expr:
    """The stages that the policy omits of a request, as BITS."""
    omitted = {rule.index: decided_by(policy, rule).omit_stages for rule in policy.rules}
    omitted[NO_RULE] = frozenset(policy.omit_stages)
    bits = {index: sum(BITS.get(stage, 0) for stage in stages) for index, stages in omitted.items()}
    rule = sql.column("rule")
    branches = [(sql.same(rule, sql.number(index)), sql.number(number)) for index, number in bits.items() if number]
    return sql.choose(*branches, otherwise=sql.number(0)) if branches else sql.number(0)


def _formed(lines: str) -> str:
    """The fields of a line; ``formed`` says whether all of them are of the types that are expected."""
    raw = {name: f"r[{place}]" for place, name in enumerate(_FORMS, 1)}
    texts = ", ".join(f"coalesce(x[{place}], '') AS {name}" for place, name in enumerate(_TEXTS, 1))
    checks = [
        f"regexp_full_match(keys, '{_KEYS}')",
        *(f"coalesce(len(k[{place}]) = len(list_distinct(k[{place}])), true)" for place in (2, 3, 4)),
        IS_STRICT,
        "x[1] IN ('Metadata', 'Request', 'RequestResponse')",
        "x[3] IN ('RequestReceived', 'ResponseStarted', 'ResponseComplete')",
        *(is_time(f"x[{place}]") for place in (6, 7)),
        *(_holds(value, _FORMS[name], always=name in _ALWAYS) for name, value in raw.items()),
        f"({raw['objectRef']} IS NOT NULL OR (x[4][1] = '/' AND NOT regexp_matches(x[4], '{MAYBE_RESOURCE}')))",
    ]
    paths = {name: ", ".join(f"'$.{key}'" for key in keys) for name, keys in (("r", _FORMS), ("x", _TEXTS.values()))}
    free = ", ".join(f"'{path}'" for path in _FREE)
    read = (
        f"SELECT n, line, TRY(json_extract(line, [{paths['r']}])) AS r, "
        f"TRY(json_extract_string(line, [{paths['x']}])) AS x, "
        f"TRY(json_keys(line, [{free}])) AS k FROM {lines}"
    )
    return (
        f"SELECT n, line, keys, x IS NULL AS unread, {texts}, "
        f"coalesce({raw['user']} <> '{{}}', false) AS authenticated, {raw['objectRef']} IS NOT NULL AS has_reference, "
        f"',' || coalesce(json_extract({raw['user']}, '$.groups')::VARCHAR, '[')[2:] AS groups_json, "
        f"coalesce({raw['annotations']}::VARCHAR, '') AS annotations, "
        f"coalesce({' AND '.join(checks)}, false) AS formed "
        f"FROM (SELECT *, array_to_string(k[1], ',') AS keys FROM ({read}))"
    )


def _holds(value: str, form: str, *, always: bool) -> str:
    held = f"regexp_full_match({value}::VARCHAR, '{form}', 's')"
    return held if always else f"({value} IS NULL OR {held})"


def _texts(values: Sequence[str] | frozenset[str] | set[str]) -> str:
    return ", ".join(f"'{one}'" for one in sorted(values))


_BODIES = (
    "(recorded_level <> 'Metadata' OR NOT contains(keys, ',requestObject')) "
    "AND (recorded_level = 'RequestResponse' OR NOT contains(keys, ',responseObject'))"
)
_PLAIN = (
    "formed AND exact AND recorded_level = policy_level AND NOT omitted "
    f"AND {_BODIES} AND NOT contains(annotations, '{TRUNCATED}') AND NOT (authenticated AND code = '401') "
    "AND (has_reference OR path = '/' OR (path[1] = '/' AND path[2] <> '/'))"
)
_GROUPED = "CASE WHEN api_group = '' THEN resource ELSE resource || '.' || api_group END"
# As OfflineJudge names it.
_WHAT = (
    f"CASE WHEN has_reference THEN {_GROUPED} || CASE WHEN subresource = '' THEN '' ELSE '/' || subresource END "
    "ELSE '/' || split_part(path[2:], '/', 1) END"
)
_LONG_RUNNING = (
    f"verb IN ({_texts(LONG_RUNNING_VERBS)}) OR CASE WHEN has_reference "
    f"THEN subresource IN ({_texts(LONG_RUNNING_SUBRESOURCES)}) ELSE starts_with(path, '{LONG_RUNNING_PATHS}') END"
)
_DUE = f"CASE WHEN NOT authenticated THEN 2 WHEN {_LONG_RUNNING} THEN 7 ELSE 5 END"
_CASES = " ".join(f"WHEN '{stage}' THEN {bit}" for stage, bit in BITS.items())
_SAME_REQUEST = "concat_ws(chr(30), audit_id, received, verb, request_uri, username)"
_ROW = {
    "n": "n",
    "plain": "plain",
    "request": f"CASE WHEN unread THEN md5_number(n::VARCHAR) ELSE md5_number({_SAME_REQUEST}) END",
    "id": "hash(audit_id)",
    "unread_line": "CASE WHEN unread THEN line ELSE '' END",
    "stage_bit": f"CASE stage {_CASES} ELSE 0 END",
    "due": f"({_DUE}) & ~rule_omits",
    "rule": "rule",
    "verb": "CASE WHEN plain THEN verb ELSE '' END",
    "what": "CASE WHEN plain THEN what ELSE '' END",
    "username": "CASE WHEN plain THEN username ELSE '' END",
    "stage_time": "CASE WHEN plain THEN stage_time ELSE '' END",
}
