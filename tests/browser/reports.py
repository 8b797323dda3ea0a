"""Reports of every kind of run, for the browser."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from auditproof.analysis.diff import diff
from auditproof.analysis.lint import examine
from auditproof.audit.policy.load import parse_policy
from auditproof.kube.discovery import load_served
from auditproof.report.change import change_record
from auditproof.report.document import conformance_report
from auditproof.report.model import (
    ClusterRecord,
    PolicyRecord,
    ProofRecord,
    Report,
    RunRecord,
    Sections,
    plain,
)
from auditproof.report.policy_sections import lint_record

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
NEW = parse_policy(f"{HEAD}- level: None\n  users: [bob]\n- level: Metadata\n".encode(), path="policies/new.yaml")
OLD = parse_policy(f"{HEAD}- level: Request\n  users: [bob]\n- level: Metadata\n".encode(), path="policies/old.yaml")
EVENT = {
    "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/a-namespace-with-a-long-name/configmaps/and-an-object-with-a-longer-one",
    "user": {"username": "alice", "groups": ["developers", "system:authenticated"]},
}  # fmt: skip


def proof(number: int, verdict: str = "PROVEN", name: str = "") -> dict[str, Any]:
    performed = verdict in ("PROVEN", "VIOLATED")
    user = ("alice", "system:serviceaccount:shop:robot", None)[number % 3]
    return {
        "id": name or f"suites/shop.audit.yaml::case-{number}",
        "title": f"Case {number} is a sentence about somebody who does something",
        "suite": "suites/shop.audit.yaml",
        "line": number,
        "policy": {"path": NEW.path, "sha256": NEW.sha256},
        "identity": {"user": user, "groups": ["developers"], "kind": "x509", "impersonates": None},
        "request": {
            "method": "GET", "path": EVENT["requestURI"], "verb": ("get", "list", "create")[number % 3],
            "apiGroup": "", "resource": "configmaps", "subresource": "", "namespace": "shop", "name": "settings",
        },
        "because": "it was asked for" if number == 1 else "",
        "explanation": {
            "effect": "recorded at level Metadata",
            "earlier": [{"rule": 0, "line": 4, "condition": "users", "reason": "user 'alice' is not in users [bob]"}],
            "shadowed": [],
        },
        "auditID": f"id-{number}" if performed else "",
        "expected": {"rule": 1, "line": 6, "level": "Metadata", "stages": ["ResponseComplete"], "source": "case"},
        "observed": {
            "level": "Metadata" if performed else None,
            "stages": ["ResponseComplete"] if performed else [],
            "status": 200 if performed else 0,
        },
        "verdict": verdict,
        "reasons": [] if verdict == "PROVEN" else ["not recorded at stage ResponseStarted"],
        "claim": {"text": "It is said so", "level": "Request", "holds": False} if number == 2 else None,
        "events": [EVENT] if performed else [],
        "fence": "GET /api/v1/secrets by auditproof-fence, read back from the log" if performed else "",
        "seconds": 0.01,
    }  # fmt: skip


def report(*proofs: dict[str, Any], planned: tuple[str, ...] = ()) -> Report:
    served = load_served("1.37")
    changed = (proof(90, name="policies/old.yaml::change-01"), proof(91, name="policies/new.yaml::change-01"))
    every = [*proofs, *changed]
    return conformance_report(
        [ProofRecord.model_validate(record) for record in every],
        policy=PolicyRecord(
            path=NEW.path, sha256=NEW.sha256, text=NEW.text, warnings=("policies/new.yaml:3:1: a warning",),
            rule_lines=tuple(rule.position.line for rule in NEW.rules), commit="c" * 40, modified=True,
        ),
        cluster=ClusterRecord(provider="embedded", kubernetes="v1.37.2", flags={"audit-log-mode": "blocking"}),
        run=RunRecord(by="alice", ci="GitLab CI", url="https://ci.example.test/1"),
        planned=[*(record["id"] for record in every), *planned],
        started=NOON,
        finished=NOON,
        sections=Sections(change=change_record(diff(OLD, NEW, served)), lint=lint_record(examine(NEW, served))),
    )  # fmt: skip


def with_more(shown: Report, **parts: Any) -> Report:
    """The report with parts of results.json that are given as data."""
    return Report.model_validate(plain(shown) | parts)


def forbidden(what: str, *effects: str, by: str = "") -> dict[str, Any]:
    entry = {
        "because": "Reads of pods were a third of the log, and no detection uses their bodies.", "approvedBy": by,
        "ticket": "CHG-7", "until": "2027-01-31", "file": "policies/audit-changes.yaml", "line": 4,
    }  # fmt: skip
    return {
        "effects": [{"effect": effect, "acknowledged": entry if by else None} for effect in effects],
        "acknowledged": bool(by), "text": "RequestResponse → Metadata", "who": "everybody", "verbs": ["get", "list"],
        "what": what, "where": "", "resources": [], "paths": [], "witness": "someone: GET /api/v1/pods",
    }  # fmt: skip


def gate(*changes: dict[str, Any]) -> dict[str, Any]:
    passes = all(one["acknowledged"] for one in changes)
    head = {"relation": "incomparable", "forbid": ["lost-events", "lost-bodies", "exposed"], "passes": passes}
    return {**head, "decision": "", "forbidden": list(changes), "unused": [], "expired": []}


def requirement(number: int, title: str, status: str = "") -> dict[str, Any]:
    violation = {
        "level": "Request", "rule": 0, "line": 4, "who": "everybody", "verbs": "create, update, patch",
        "what": title, "where": "in any namespace except kube-system", "request": "someone: POST /api/v1/secrets",
    }  # fmt: skip
    return {
        "file": "cis", "id": f"cis-3-2-{number}", "title": f"Of {title} only metadata is recorded", "line": number + 1,
        "level": "at most Metadata", "because": "A body is a second copy of the secret.", "classes": 2,
        "source": "CIS Kubernetes Benchmark", "violations": [violation], "proofs": [], "status": status,
    }  # fmt: skip


NAMED = {
    "title": "Log request bodies of secrets for the payment migration", "number": "CHG-1042", "author": "Maria Keller",
    "reviewer": "Zoë Winter",
}  # fmt: skip
LONG = "a-rather-long-name-of-a-resource.with-a-group.example.test "
WIDE = "WWW 漢字漢字漢字 "
GREEN = report(*(proof(number) for number in range(1, 9)))
VIOLATED = report(proof(1, "VIOLATED"), *(proof(number) for number in range(2, 9)))
RULES = "".join(f"- level: Metadata\n  users: [user-{n}, {LONG.strip()}]\n  verbs: [get, list]\n" for n in range(240))
MANY = parse_policy(f"{HEAD}{RULES}".encode(), path=f"policies/{'long-name/' * 12}many.yaml")


def crowded(text: str, count: int = 60) -> Report:
    """A report with more of everything than two pages hold, in long or wide words."""
    wrong = [
        proof(n, "VIOLATED") | {"title": text * 9, "reasons": [f"{n} {text * 9}"], "id": f"suites/{n}"}
        for n in range(count)
    ]
    made = report(*wrong, planned=tuple(f"missing-{n}" for n in range(count)))
    policy = plain(made.policy) | {
        "path": MANY.path, "text": MANY.text, "ruleLines": [rule.position.line for rule in MANY.rules],
    }  # fmt: skip
    return with_more(
        made,
        policy=policy,
        ticket=dict.fromkeys(NAMED, text * 5),
        gate=gate(
            *(forbidden(f"{n} {text * 9}", "lost-events", "exposed") for n in range(count)),
            *(forbidden(f"{n} {text * 9}", "lost-bodies", by=text * 3) for n in range(count)),
        ),
        requirements=[requirement(n, text * 9, "new") for n in range(count)],
    )


def of_a_log() -> Report:
    file = {"path": "audit.log", "lines": 900, "events": 900, "invalid": 0, "forms": {"JSON lines": 900}}
    log = {
        "files": [file], "first": "2026-01-01T00:00:00Z", "last": "2026-01-01T01:00:00Z", "requests": 880, "kinds": 10,
        "notSeen": ["A request that was not recorded leaves nothing in a log.", "Bodies that were never sent."],
    }  # fmt: skip
    return with_more(GREEN, log=log, cluster={"provider": "none: recorded events", "kubernetes": ""}, change=None)


def of_backends(count: int = 90) -> Report:
    tests = [
        {
            "id": f"b::{n}", "title": f"Batch {n} of events arrives although the webhook is slow", "suite": "b.py",
            "line": n, "flags": {"audit-log-mode": "batch"}, "verdict": "PROVEN" if n else "VIOLATED", "accounts": [],
            "reason": "" if n else "3 events were lost", "performed": 50, "recorded": 47, "lost": 3, "unproven": 0,
            "facts": [],
        }
        for n in range(count)
    ]  # fmt: skip
    sums = {"performed": 4500, "recorded": 4230, "lost": 270, "unproven": 0}
    made = with_more(GREEN, backends={**sums, "notPerformed": ["b::late"], "load": [], "tests": tests}, proofs=[])
    nothing = dict.fromkeys(("planned", "performed", "proven", "violated", "unproven", "notSupported"), 0)
    return with_more(made, summary=nothing, change=None)


def of_versions() -> Report:
    summary = plain(VIOLATED.summary)
    versions = [
        {"version": minor, "kubernetes": f"v{minor}.0", "summary": summary}
        for minor in ("1.34", "1.35", "1.36", "1.37")
    ]
    results = [
        {"kubernetes": minor, "proof": "suites/shop.audit.yaml::case-1", "verdict": "PROVEN", "level": "Metadata"}
        for minor in ("1.34", "1.35", "1.36", "1.37")
    ]
    return with_more(
        VIOLATED, versions=versions, differing=[{"id": "case-1", "title": "Case 1", "results": results, "why": ["new"]}]
    )


def everything(actions: int = 39, tests: int = 90) -> Report:
    """Every section of details.html, with so many actions and backend tests."""
    share = {"events": 9, "bytes": 900, "eventsPerSecond": 0.5}
    noise = {
        "seconds": 60, **share, "components": [{"user": "system:apiserver", "program": "kube-apiserver", **share}],
        "rules": [{"rule": 1, "line": 6, "level": "Metadata", **share}], "reactions": share,
    }  # fmt: skip
    covered = {"rule": 1, "line": 6, "level": "Metadata", "nearMisses": [], "reason": ""}
    coverage = {
        "depth": "rules", "rules": [covered | {"witnesses": ["suites/shop.audit.yaml::case-1"]}],
        "unperformed": [{"what": LONG, "reason": "no client can send it"}],
    }  # fmt: skip
    return with_more(
        report(*(proof(n, "VIOLATED" if n == 1 else "PROVEN") for n in range(1, actions + 1)), planned=("missing",)),
        gate=gate(forbidden(LONG * 3, "exposed"), forbidden("pods", "lost-bodies", by="the security team")),
        requirements=[requirement(1, LONG * 3, "new"), requirement(2, "configmaps", "known")],
        strength={"mutants": 9, "noticed": 8, "unnoticed": [{"rule": 0, "line": 4, "change": LONG * 4}]},
        backends=plain(of_backends(tests))["backends"],
        versions=plain(of_versions())["versions"],
        differing=plain(of_versions())["differing"],
        noise=noise,
        coverage=coverage,
    )


@cache
def shown(name: str) -> Report:
    """The report of this name, made once: some take a while to make, and most tests need none of them."""
    return REPORTS[name]()


@cache
def sections() -> Report:
    """Everything, few of a kind: an accessibility engine takes four seconds for details.html with 90 rows of a kind."""
    return everything(actions=9, tests=5)


REPORTS: dict[str, Callable[[], Report]] = {
    "green": lambda: GREEN,
    "violated": lambda: VIOLATED,
    "unproven": lambda: report(proof(1, "UNPROVEN"), proof(2, "NOT_SUPPORTED"), *(proof(n) for n in range(3, 9))),
    "crashed": lambda: report(proof(1), planned=tuple(f"suites/shop.audit.yaml::case-{n}" for n in range(2, 30))),
    "refused": lambda: with_more(
        GREEN,
        ticket=NAMED,
        gate=gate(
            forbidden("secrets", "exposed"),
            forbidden("pods", "lost-bodies", by="the security team"),
        ),
        requirements=[requirement(1, "secrets", "new"), requirement(2, "configmaps", "known")],
    ),
    "versions": of_versions,
    "log": of_a_log,
    "backends": of_backends,
    "everything": everything,
    "crowded": lambda: crowded(LONG),
    "wide": lambda: crowded(WIDE),
}
