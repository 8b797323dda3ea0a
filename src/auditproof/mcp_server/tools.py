"""What each tool does: pure computation on policies and rules that a workspace reads.

A tool returns its result for programs, and the same as text, which is what the command of its name prints.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from auditproof.errors import AuditproofError, PolicyRefused
from auditproof.kube.discovery import load_served, unknown_version
from auditproof.kube.versions import KUBERNETES_VERSION
from auditproof.mcp_server import models
from auditproof.mcp_server.models import FEW, MOST
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from auditproof.analysis.diff import Difference
    from auditproof.analysis.lint.finding import Finding
    from auditproof.analysis.requirements import Standing
    from auditproof.audit.policy.load import Policy
    from auditproof.detections import Fed
    from auditproof.kube.attributes import Attributes
    from auditproof.mcp_server.workspace import Workspace


def lint(workspace: Workspace, asked: models.PolicyInput) -> tuple[models.LintResult, str]:
    """Find mistakes in an audit policy: rules that no request reaches, conditions that nothing meets, recorded secrets.

    Each finding has a code, a line, a request that demonstrates it, and what to do. A policy that the API server would
    refuse is a finding, too.
    """
    from auditproof.analysis.lint import examine
    from auditproof.analysis.lint.lint import refused
    from auditproof.report.findings import Linted, as_text

    try:
        policy = _policy(workspace, asked)
    except PolicyRefused as error:
        linted = Linted("policy", refused(error), refused=True)
    else:
        linted = Linted(policy.path, examine(policy, load_served(asked.kubernetes)))
    findings = linted.examination.findings
    result = models.LintResult(
        kubernetes=asked.kubernetes,
        refused=linted.refused,
        total=len(findings),
        ignored=len(linted.examination.ignored),
        findings=[_finding(one) for one in findings[:MOST]],
    )
    return result, _with_remark(as_text([linted], asked.kubernetes, every=False), asked.kubernetes)


def _finding(finding: Finding) -> models.LintFinding:
    return models.LintFinding(
        code=finding.code,
        name=finding.name,
        severity=str(finding.severity),
        line=finding.position.line,
        column=finding.position.column,
        message=finding.message,
        advice=finding.advice,
        request=str(finding.shown) if finding.shown else None,
    )


def explain(workspace: Workspace, asked: models.ExplainInput) -> tuple[models.ExplainResult, str]:
    """Say how one request is recorded: which rule decides, why each earlier one does not, which later ones would match.

    The user is in the groups that authentication adds. A verb, resource or path that no API server serves is an error.
    """
    from auditproof.audit.event import Level
    from auditproof.audit.explain import effect_of, render
    from auditproof.audit.explain import explain as explained

    policy = _policy(workspace, asked)
    attributes = _attributes(asked)
    found = explained(policy, attributes)
    rule = found.decision.rule
    recorded = found.decision.level is not Level.NONE and bool(found.emitted - found.decision.omit_stages)
    result = models.ExplainResult(
        request=str(attributes),
        recorded=recorded,
        level=str(found.decision.level),
        effect=effect_of(found.decision, found.emitted),
        rule=rule.index + 1 if rule else None,
        line=rule.position.line if rule else None,
        earlier_total=len(found.earlier),
        earlier=[
            models.RuleReason(rule=one.index + 1, line=one.position.line, reason=str(why))
            for one, why in found.earlier[:MOST]
        ],
        shadowed_total=len(found.shadowed),
        shadowed=[
            models.RuleReason(
                rule=one.index + 1, line=one.position.line, reason=f"{one.level}, but an earlier rule wins"
            )
            for one in found.shadowed[:MOST]
        ],
    )
    return result, _with_remark(f"request: {printable(str(attributes))}\n{render(found)}", asked.kubernetes)


def _attributes(asked: models.ExplainInput) -> Attributes:
    from auditproof.kube.question import NoSuchRequest, path_question, resource_question, user_of

    if bool(asked.resource) is bool(asked.path):
        raise AuditproofError("give resource, such as pods/exec, or path, such as /healthz: exactly one of the two")
    if asked.unauthenticated and (asked.user or asked.groups):
        raise AuditproofError("an unauthenticated request has no user and no groups: leave out unauthenticated or them")
    user = None if asked.unauthenticated else user_of(asked.user, asked.groups, exact=asked.exact_groups)
    try:
        if asked.path:
            return path_question(user, asked.verb, asked.path)
        full, _, subresource = asked.resource.partition("/")
        resource, dot, group = full.partition(".")
        where = {"namespace": asked.namespace, "name": asked.name}
        served = load_served(asked.kubernetes)
        return resource_question(served, user, asked.verb, resource, subresource, group if dot else None, **where)
    except NoSuchRequest as error:
        raise AuditproofError(f"explain: {error}") from None


def diff(workspace: Workspace, asked: models.DiffInput) -> tuple[models.DiffResult, str]:
    """List all requests that two audit policies record differently: what a change loses, exposes and newly records.

    Every class of requests is compared, the worst differences come first, each with a request that demonstrates it.
    """
    from auditproof.analysis.diff import diff as compared
    from auditproof.analysis.diff import render_text

    _check_version(asked.kubernetes)
    old = workspace.policy(asked.old, asked.old_path, kubernetes=asked.kubernetes, name="old")
    new = workspace.policy(asked.new, asked.new_path, kubernetes=asked.kubernetes, name="new")
    found = compared(old, new, load_served(asked.kubernetes))
    result = models.DiffResult(
        kubernetes=asked.kubernetes,
        total=len(found.differences),
        kinds=dict(Counter(str(one.change.kind) for one in found.differences)),
        changes=[_change(one) for one in found.differences[:MOST]],
    )
    return result, _with_remark(render_text(found), asked.kubernetes)


def _change(difference: Difference) -> models.Change:
    from auditproof.analysis.diff.render import rules_text, witness_text

    row = difference.row
    return models.Change(
        kind=str(difference.change.kind),
        text=difference.change.text,
        who=row.who,
        verbs=row.product.verbs_text,
        what=row.product.what,
        where=row.product.where,
        rules=rules_text(difference.rules),
        odd=bool(row.odd or row.forged or row.refused),
        witness=witness_text(difference.witness),
    )


def requirements(workspace: Workspace, asked: models.RequirementsInput) -> tuple[models.RequirementsResult, str]:
    """Check an audit policy against requirements, such as those of CIS: which are not met, for which requests, and why.

    Each violation has an example, the line of the rule that decides, and the remedy.
    """
    from auditproof.analysis.requirements import State, check_requirement, render_text, status_of

    policy = _policy(workspace, asked)
    files = workspace.requirements(asked.requirements or ["baseline"], asked.kubernetes)
    served = load_served(asked.kubernetes)
    checked = [(file, [check_requirement(policy, one, served, None) for one in file.requirements]) for file in files]
    status = status_of(checked, None, _today())
    standings = sorted(status.standings, key=lambda one: one.state is State.MET)
    result = models.RequirementsResult(
        kubernetes=asked.kubernetes,
        total=len(standings),
        unmet=sum(one.state is not State.MET for one in standings),
        requirements=[_requirement(one, met=one.state is State.MET) for one in standings[:MOST]],
    )
    return result, _with_remark(render_text(status), asked.kubernetes)


def _today() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


def _requirement(standing: Standing, *, met: bool) -> models.RequirementResult:
    from auditproof.analysis.requirements import standing_data

    data = standing_data(standing)
    return models.RequirementResult(
        id=data["id"],
        file=standing.file.name,
        title=data["title"],
        met=met,
        because=data["because"],
        source=data["source"],
        violations_total=len(data["violations"]),
        violations=[
            models.Violation(
                **{key: one[key] for key in ("who", "verbs", "what", "where", "required", "line", "remedy")},
                recorded=one["level"],
                example=one["request"],
            )
            for one in data["violations"][:FEW]
        ],
    )


def detections(workspace: Workspace, asked: models.DetectionsInput) -> tuple[models.DetectionsResult, str]:
    """Check whether an audit policy feeds detection rules (Sigma, Falco, Elastic), and which a change would blind."""
    from auditproof.detections import Feed, check_detections
    from auditproof.report.detections import FedRules, as_text

    policy = _policy(workspace, asked)
    base = None
    if asked.base.strip() or asked.base_path:
        base = workspace.policy(asked.base, asked.base_path, kubernetes=asked.kubernetes, name="base")
    rules = workspace.rules(asked.rules)
    checked = check_detections(policy, rules.detections, load_served(asked.kubernetes), base)
    found = FedRules(policy, base, asked.kubernetes, checked, rules.not_read, rules.others)
    result = models.DetectionsResult(
        kubernetes=asked.kubernetes,
        total=len(checked),
        counts={str(feed): len(found.of(feed)) for feed in Feed},
        rules=[_rule(one) for one in found.bad_first()[:MOST]],
        not_read_total=len(found.not_read),
        not_read=[
            models.NotReadRule(title=one.title, at=str(one.position), reason=one.reason)
            for one in found.not_read[:MOST]
        ],
    )
    return result, _with_remark(as_text(found), asked.kubernetes)


def _rule(fed: Fed) -> models.RuleResult:
    from auditproof.detections import recorded_text, remedy_text, request_text

    rule = fed.detection
    return models.RuleResult(
        id=rule.id,
        title=rule.title,
        at=str(rule.position),
        severity=rule.severity,
        feed=str(fed.feed),
        worse=fed.worse,
        why_never=fed.why_never,
        lost_total=len(fed.lost),
        lost=[
            models.LostRequests(
                requests=one.what,
                by=one.who,
                recorded=recorded_text(one),
                remedy=remedy_text(one),
                example=request_text(one.witness, one.values),
                new=one.new,
            )
            for one in fed.lost[:FEW]
        ],
    )


def describe(workspace: Workspace, asked: models.PolicyInput) -> tuple[models.DescribeResult, str]:
    """Describe what an audit policy records, on one page: levels, exceptions, and where secrets may be in the log."""
    from auditproof.analysis.describe import describe as described
    from auditproof.analysis.describe import render_markdown, render_text

    policy = _policy(workspace, asked)
    found = described(policy, load_served(asked.kubernetes))
    page, count, cut = shortened(render_markdown(found))
    result = models.DescribeResult(kubernetes=asked.kubernetes, page=page, lines=count, cut=cut)
    return result, _with_remark(render_text(found), asked.kubernetes)


def _policy(workspace: Workspace, asked: models.PolicyInput) -> Policy:
    _check_version(asked.kubernetes)
    return workspace.policy(asked.policy, asked.policy_path, kubernetes=asked.kubernetes)


def _check_version(kubernetes: str) -> None:
    if not KUBERNETES_VERSION.fullmatch(kubernetes):
        raise AuditproofError(f"kubernetes: invalid version {kubernetes!r} (expected one such as 1.37 or 1.37.2)")


MOST_TEXT = 20_000  # characters of a text; a result must leave room for the rest of a conversation


def shortened(text: str) -> tuple[str, int, bool]:
    """A text of at most MOST_TEXT characters, the number of lines that it has in full, and whether lines are left out.

    >>> from auditproof.mcp_server.tools import shortened
    >>> shortened("one line")
    ('one line', 1, False)
    """
    lines = text.rstrip("\n").split("\n")
    if len(text) <= MOST_TEXT:
        return "\n".join(lines), len(lines), False
    kept = text[:MOST_TEXT].split("\n")[:-1] or [text[:MOST_TEXT]]
    return "\n".join([*kept, f"... and {len(lines) - len(kept)} more lines of {len(lines)}"]), len(lines), True


def _with_remark(text: str, kubernetes: str) -> str:
    """The text, shortened, with a remark on a version that is not known."""
    remark = unknown_version(kubernetes)
    return "\n\n".join(filter(None, [shortened(text)[0], f"note: {remark}" if remark else ""]))
