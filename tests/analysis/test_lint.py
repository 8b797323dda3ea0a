"""lint: what it finds is there, what it calls unreachable is, and docs/lint.md tells about it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

from auditproof.analysis.diff import changed
from auditproof.analysis.lint import CATALOGUE, Examination, Finding, examine, lint
from auditproof.analysis.lint.context import Subject
from auditproof.analysis.lint.lint import refused
from auditproof.analysis.lint.rule_fields import KEYS, has_no_condition, values_of, with_values
from auditproof.analysis.lint.suggestions import SHORT_NAMES
from auditproof.analysis.lint.suppressions import suppressions
from auditproof.analysis.space import reachable
from auditproof.audit.decide import decide, no_match
from auditproof.audit.policy.load import Policy, PolicyRule, parse_policy
from auditproof.cli.main import main
from auditproof.content import root
from auditproof.errors import PolicyRefused
from auditproof.kube.attributes import Attributes, UserInfo, attributes_of
from auditproof.kube.discovery import load_served, minors
from tests.support.broken import BROKEN, data_of
from tests.support.documented import HEAD, SECTIONS, Documented
from tests.support.properties import examples
from tests.support.random_policies import every_request, policies, users

SERVED = load_served("1.37")
QUIET = "omitStages: [RequestReceived]\nrules:\n"
slowly = examples(20)


def examined(text: str, kubernetes: str = "1.37") -> Examination:
    try:
        policy = parse_policy(text.encode(), "p.yaml", kubernetes=kubernetes)
    except PolicyRefused as error:
        return refused(error)
    return examine(policy, load_served(kubernetes))


def found(rules: str) -> list[tuple[str, int, int]]:
    """Code, line and column of all findings of rules that omit RequestReceived; the first rule is in line 5."""
    findings = examined(HEAD + QUIET + rules).findings
    return [(finding.code, finding.position.line, finding.position.column) for finding in findings]


def codes(rules: str) -> list[str]:
    return [code for code, _, _ in found(rules)]


def only(rules: str, code: str) -> Finding:
    (finding,) = [f for f in examined(HEAD + QUIET + rules).findings if f.code == code]
    return finding


# The document


def test_every_code_is_documented_with_its_name_and_severity() -> None:
    severities = {"info": "note"}
    known = [(c.code, c.name, severities.get(str(c.severity), str(c.severity))) for c in CATALOGUE.values()]

    assert [(s.code, s.name, s.severity) for s in SECTIONS] == known


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.code)
def test_the_documented_example_has_the_finding_at_its_arrow(section: Documented) -> None:
    findings = examined(section.example, section.kubernetes).findings

    assert [f.position.line for f in findings if f.code == section.code] == [section.line]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.code)
def test_the_documented_remedy_is_free_of_the_finding(section: Documented) -> None:
    assert section.code not in [f.code for f in examined(section.instead, section.kubernetes).findings]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.code)
def test_every_finding_of_the_examples_is_shown_by_a_request(section: Documented) -> None:
    for finding in examined(section.example, section.kubernetes).findings:
        if finding.code in ("AP001", "AP701", "AP702"):  # about the text alone
            continue
        assert finding.shown is not None
        method, uri = finding.shown.line
        asked = finding.shown.attributes
        assert attributes_of(method, uri, asked.user) == replace(
            asked, path=uri.partition("?")[0] if asked.resource_request else asked.path, api_version=asked.api_version
        )


def test_the_documented_output_is_what_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rules = (
        "- level: None\n  resources: [{resources: [pods]}]\n\n\n- {level: Request, resources: [{resources: [pods]}]}\n"
    )
    Path("prod.yaml").write_text(f"{HEAD}{QUIET}{rules}- level: Metadata\n")

    code = main(["lint", "prod.yaml"])

    text = (root() / "docs" / "lint.md").read_text()
    assert code == 1
    assert capsys.readouterr().out.splitlines() == text.split("```")[1].strip().splitlines()


# Rules that no request gets to


REQUESTS = every_request()
USERS = [user for user, _ in users()]
HONEST = [user for user, honest in users() if honest]


def unlike(policy: Policy) -> list[Attributes]:
    """Of requests that match the same rules, but for who asks, one."""
    anybody = [replace(rule, users=(), user_groups=()) for rule in policy.rules]
    kept = {tuple(bool(no_match(rule, request)) for rule in anybody): request for request in REQUESTS}
    return [replace(request, user=user) for request in kept.values() for user in USERS]


@slowly
@given(policies)
def test_what_is_called_unreachable_is_reached_by_no_request(policy: Policy) -> None:
    unreachable = {finding.position for finding in lint(policy, SERVED) if finding.code == "AP201"}

    for attributes in unlike(policy):
        rule = decide(policy, attributes).rule
        assert rule is None or rule.position not in unreachable


@slowly
@given(policies)
def test_what_is_not_called_unreachable_is_reached_or_matches_nothing(policy: Policy) -> None:
    unreachable = {finding.position for finding in lint(policy, SERVED) if finding.code == "AP201"}
    witnesses = reachable(policy, SERVED)

    for rule in policy.rules:
        if rule.position in unreachable:
            continue
        if rule.index in witnesses:
            assert decide(policy, witnesses[rule.index].attributes).rule is rule
        else:
            assert not [attributes for attributes in unlike(policy) if not no_match(rule, attributes)]


@slowly
@given(policies)
def test_the_covering_rules_are_those_that_decide_instead(policy: Policy) -> None:
    subject = Subject(policy, SERVED)
    everything = unlike(policy)
    for finding in lint(policy, SERVED):
        if finding.code != "AP201":
            continue
        index = next(rule.index for rule in policy.rules if rule.position == finding.position)
        covering = {rule.index for rule in subject.deciding_instead(index)}
        matched = [attributes for attributes in everything if not no_match(policy.rules[index], attributes)]
        deciding = {rule.index for a in matched if (rule := decide(policy, a).rule)}
        assert deciding <= covering < set(range(index)) | {index}
        assert all(f"rule {number + 1} (line" in finding.message for number in covering)


@slowly
@given(policies)
def test_a_request_that_shows_a_finding_can_be_sent_and_is_decided_as_it_says(policy: Policy) -> None:
    for finding in lint(policy, SERVED):
        if finding.shown:
            asked = finding.shown.attributes
            sent = attributes_of(*finding.shown.line, asked.user)
            if asked.resource_request:
                sent = replace(sent, path=asked.path, api_version=asked.api_version)
            assert sent == asked
            assert decide(policy, sent) == finding.shown.decision


# Findings, one by one

NAMED = "- {level: Metadata, resources: [{resources: [pods/exec, pods/attach, pods/portforward]}]}\n"
TWINS = "- {{level: None, verbs: [{}], resources: [{{group: {}, resources: [events]}}]}}\n- level: Metadata\n"


def test_the_baseline_is_clean() -> None:
    policy = root() / "fixtures" / "policies" / "baseline.yaml"

    assert examined(policy.read_text()).findings == ()


@pytest.mark.parametrize(
    ("resources", "advice"),
    [
        ("[{resources: [deployments]}]", 'Did you mean "deployments" of group "apps"?'),
        ("[{resources: [secret]}]", 'Did you mean "secrets"?'),
        ("[{resources: [pods/logs]}]", 'Did you mean "pods/log"?'),
        ("[{resources: [ingress]}]", 'Did you mean "ingresses" of group "networking.k8s.io"?'),
        ("[{group: '*', resources: [deploymnets]}]", 'Did you mean "deployments"?'),
        (
            "[{group: apps, resources: [zzz]}]",
            "Remove it, or use the name from `kubectl api-resources`.",
        ),
    ],
)
def test_an_unserved_resource_comes_with_what_may_be_meant(resources: str, advice: str) -> None:
    finding = only(f"- {{level: Metadata, resources: {resources}}}\n- level: Metadata\n", "AP306")

    assert finding.advice == advice


@pytest.mark.parametrize("pattern", ["*/*", "po*", "pods/", "/log", "pods/log/x", "Pods", "*/st*", "''"])
def test_a_dead_pattern_is_found(pattern: str) -> None:
    assert "AP304" in codes(f"- {{level: Metadata, resources: [{{resources: ['{pattern.strip(chr(39))}']}}]}}\n")


@pytest.mark.parametrize("pattern", ["*", "pods", "pods/*", "*/status", "pods/log", "services/proxy"])
def test_a_living_pattern_is_not(pattern: str) -> None:
    assert codes(f"- {{level: Metadata, resources: [{{resources: ['{pattern}']}}]}}\n- level: None\n") == []


@pytest.mark.parametrize(
    ("verb", "advice"),
    [
        ("GET", 'Did you mean "get"?'),
        ("post", 'Did you mean "create"?'),
        ("lst", 'Did you mean "list"?'),
        ("apply", 'Did you mean "patch"?'),
        ("exec", "Name the subresource instead: resources: [pods/exec]; the verbs are get and create."),
        (
            "impersonate",
            "Remove it: only the authorizer checks impersonate, for requests that have other verbs.",
        ),
        ("zzz", "Verbs are get, list, watch, create, update, patch, delete, deletecollection, proxy."),
    ],
)
def test_a_verb_of_no_request_comes_with_what_may_be_meant(verb: str, advice: str) -> None:
    rules = f"- {{level: Metadata, verbs: [{verb}, get], resources: [{{resources: [pods]}}]}}\n"

    assert only(rules, "AP301").advice == advice


def test_verbs_of_paths_are_http_methods() -> None:
    rules = "- {level: Metadata, verbs: [get, head, list], nonResourceURLs: [/version]}\n"

    assert [(code, column) for code, _, column in found(rules) if code == "AP301"] == [("AP301", 40)]
    assert only(rules, "AP301").advice.endswith('did you mean "get"?')


def test_a_rule_for_anything_may_have_verbs_of_both_kinds() -> None:
    assert codes("- {level: None, verbs: [post, create]}\n- level: Metadata\n") == ["AP402"]


def test_a_glob_is_shown_by_somebody_whom_it_was_to_match() -> None:
    finding = only("- {level: None, users: ['system:node:*']}\n- level: Metadata\n", "AP302")

    assert finding.shown is not None
    assert finding.shown.attributes.user == UserInfo("system:node:worker", ("system:authenticated",))
    assert finding.shown.decision.rule is not None and finding.shown.decision.rule.index == 1


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("{verbs: [list], resources: [{resources: [pods/log]}]}", "AP309"),
        ("{verbs: [create], resources: [{resources: [pods], resourceNames: [web]}]}", "AP310"),
        ("{verbs: [deletecollection], resources: [{resources: [pods], resourceNames: [web]}]}", "AP310"),
        ("{namespaces: [shop], resources: [{resources: [nodes]}]}", "AP311"),
        ("{namespaces: [''], verbs: [get], resources: [{resources: [pods]}]}", "AP311"),
        ("{verbs: [get], resources: [{group: authentication.k8s.io}]}", "AP309"),
    ],
)
def test_conditions_that_exclude_each_other(rules: str, expected: str) -> None:
    """Conditions of which no request meets all are one finding, on the rule, whatever each matches alone."""
    assert codes(f"- {rules.replace('{', '{level: Request, ', 1)}\n- level: Metadata\n") == [expected]


@pytest.mark.parametrize(
    "rules",
    [
        "{namespaces: [''], verbs: [list], resources: [{resources: [pods]}]}",
        "{verbs: [list, watch, get], resources: [{resources: [pods], resourceNames: [web]}]}",
        "{verbs: [create], resources: [{resources: [pods/eviction], resourceNames: [web]}]}",
        "{namespaces: [shop], verbs: [get], resources: [{resources: [namespaces]}]}",
        "{verbs: [get], resources: [{group: shop.example.com, resources: [widgets, widgets/status]}]}",
        "{resources: [{group: metrics.k8s.io}]}",
        "{resources: [{group: internal.apiserver.k8s.io, resources: [storageversions]}]}",
    ],
)
def test_conditions_that_go_together(rules: str) -> None:
    assert codes(f"- {rules.replace('{', '{level: Metadata, ', 1)}\n- level: None\n") == []


def test_events_of_both_groups_are_no_finding_and_of_one_only_where_it_matters() -> None:
    assert "AP401" in codes(TWINS.format("get", "''"))
    assert "AP401" in codes(TWINS.format("get", "events.k8s.io"))
    assert "AP401" not in codes(TWINS.format("get", "''").replace("None", "Metadata"))


@pytest.mark.parametrize(
    ("rules", "finding"),
    [
        ("- {level: None, verbs: [get, list, watch]}\n- level: Metadata\n", True),
        ("- {level: Request, verbs: [get], resources: [{resources: ['pods/*']}]}\n- level: Metadata\n", True),
        ("- {level: Request, verbs: [get, create], resources: [{resources: ['pods/*']}]}\n- level: Metadata\n", False),
        ("- {level: Request, verbs: [create, update]}\n- level: Metadata\n", False),
        ("- {level: None, users: [bob], verbs: [get]}\n- level: Metadata\n", True),
        (NAMED + "- {level: None, verbs: [get]}\n- level: Metadata\n", False),
    ],
)
def test_halves_of_exec(rules: str, finding: bool) -> None:
    """AP402 is found only if one form of exec, GET or POST, is recorded at a lower level than the other."""
    assert ("AP402" in codes(rules)) is finding


def test_a_failed_login_is_lost_by_the_rule_that_decides_about_it() -> None:
    rules = "- {level: Metadata, users: [bob], omitStages: [ResponseStarted]}\n- level: Metadata\n"

    assert codes(rules) == []
    assert codes(rules.replace("users: [bob]", "verbs: [list]")) == ["AP403"]


@pytest.mark.parametrize(
    ("level", "verbs", "finding"),
    [
        ("RequestResponse", "get", True),
        ("RequestResponse", "watch", False),
        ("RequestResponse", "delete", False),
        ("Request", "get", False),
        ("Request", "patch", True),
        ("Metadata", "create", False),
    ],
)
def test_contents_of_secrets_are_recorded_where_there_is_a_body(level: str, verbs: str, finding: bool) -> None:
    rules = f"- {{level: {level}, verbs: [{verbs}], resources: [{{resources: [secrets]}}]}}\n- level: Metadata\n"

    assert ("AP501" in codes(rules)) is finding


def test_a_token_is_in_the_answer_only() -> None:
    rules = "- {level: LEVEL, resources: [{resources: [serviceaccounts/token]}]}\n- level: Metadata\n"

    assert codes(rules.replace("LEVEL", "Request")) == []
    assert codes(rules.replace("LEVEL", "RequestResponse")) == ["AP502"]


def test_the_rules_that_keep_requestreceived_are_named_in_one_finding() -> None:
    text = f"{HEAD}rules:\n- {{level: Metadata, verbs: [get]}}\n- {{level: None, verbs: [list]}}\n- level: Metadata\n"

    (finding,) = [f for f in examined(text).findings if f.code == "AP504"]

    assert finding.message.startswith("rule 1 (line 4) and rule 3 (line 6) record RequestReceived")


def test_a_key_that_is_dropped_is_shown_by_a_request_that_it_was_to_keep_out() -> None:
    finding = only("- {level: None, verb: [get], resources: [{resources: [pods]}]}\n- level: Metadata\n", "AP101")

    assert finding.shown is not None
    assert finding.shown.attributes.verb != "get"
    assert finding.advice == 'Did you mean "verbs"?'


def test_of_broken_policies_exactly_what_the_server_warns_about_is_found_in_bounded_time() -> None:
    """Unknown, duplicate and misplaced keys are the warnings of the API server's strict decoder; nothing crashes.

    Which policies load, and the largest of them, is for tests/audit/test_broken_policies.py; a quarter of the largest
    is 12,500 rules, or 35,000 times the same key.
    """
    for case in (case for case in BROKEN if case["loads"]):
        policy = parse_policy(data_of(case, divided_by=4), "p.yaml")
        begun = time.process_time()
        findings = [f.position for f in lint(policy, SERVED) if f.code in ("AP101", "AP102", "AP103")]
        assert time.process_time() - begun < 15, case["name"]
        assert sorted(findings) == sorted(warning.position for warning in policy.warnings), case["name"]


# Comments


def ignored(text: str) -> tuple[list[str], list[str]]:
    """The codes that are left, and the reasons for what is ignored."""
    examination = examined(f"{HEAD}{text}")
    return [f.code for f in examination.findings], [one.reason for one in examination.ignored]


@pytest.mark.parametrize(
    "text",
    [
        "rules:\n# auditproof: ignore AP504 because strict mode\n- level: Metadata\n",
        "rules:\n- level: Metadata # auditproof: ignore AP504 because strict mode\n",
        "rules:\n-\n  # auditproof: ignore ap504, AP501 because: strict mode\n\n  # more\n  level: Metadata\n",
        "rules:\n- omitStages: [] # auditproof: ignore AP504 because strict mode\n  level: Metadata\n",
    ],
)
def test_a_comment_with_a_reason_suppresses(text: str) -> None:
    left, reasons = ignored(text)

    assert "AP504" not in left
    assert reasons == ["strict mode"]


@pytest.mark.parametrize("comment", ["ignore AP504", "ignore AP504 because", "ignore because I say so", "ingore AP504"])
def test_a_comment_without_code_or_reason_suppresses_nothing_and_is_a_finding(comment: str) -> None:
    left, reasons = ignored(f"rules:\n- level: Metadata # auditproof: {comment}\n")

    assert (sorted(left), reasons) == (["AP504", "AP701"], [])


def test_a_comment_for_another_line_suppresses_nothing_and_is_a_finding() -> None:
    text = "rules:\n- {level: None, verbs: [head]} # auditproof: ignore AP504 because of that\n- level: Metadata\n"

    assert ignored(text) == (["AP702", "AP504"], [])


def test_an_unknown_code_is_a_finding() -> None:
    left, _ = ignored("rules:\n- level: Metadata # auditproof: ignore AP504, AP999 because of that\n")

    assert left == ["AP702"]


def test_text_in_a_value_is_no_comment() -> None:
    quoted = 'metadata: {annotations: {a: "x # auditproof: ignore AP504 because y"}}'
    policy = parse_policy(f"{HEAD}{quoted}\nrules: [level: None]\n".encode(), "p.yaml")

    assert suppressions(policy) == ()


# What is written


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["lint", *arguments])
    written = capsys.readouterr()
    return code, written.out, written.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Policies with nothing, with a note, with a warning, and one that the server refuses."""
    monkeypatch.chdir(tmp_path)
    Path("clean.yaml").write_text(f"{HEAD}{QUIET}- level: Metadata\n")
    note = "- {level: Request, resources: [{group: apps}, {group: extensions}]}\n- level: Metadata\n"
    Path("note.yaml").write_text(f"{HEAD}{QUIET}{note}")
    Path("warning, 100%.yaml").write_text(f"{HEAD}rules:\n- level: Metadata\n")
    Path("refused.yaml").write_text(f"{HEAD}rules:\n- level: metadata\n")
    reason = "# auditproof: ignore AP504 because strict mode\n"
    Path("ignored.yaml").write_text(f"{HEAD}rules:\n{reason}- level: Metadata\n")
    return tmp_path


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["clean.yaml"], 0),
        (["note.yaml"], 0),
        (["ignored.yaml"], 0),
        (["clean.yaml", "warning, 100%.yaml"], 1),
        (["refused.yaml", "clean.yaml"], 4),
        (["missing.yaml", "warning, 100%.yaml"], 4),
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_exit_codes(
    folder: Path, capsys: pytest.CaptureFixture[str], files: list[str], expected: int, form: str
) -> None:
    """In every format: 0 for notes or nothing, 1 for warnings, 2 if a file is invalid or cannot be read."""
    assert run(capsys, *files, "--format", form)[0] == expected


def test_an_unreadable_file_is_named_and_the_others_are_examined(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = run(capsys, "missing.yaml", "warning, 100%.yaml")

    assert "AP504" in out
    assert out.splitlines()[-2].endswith("1 cannot be read")
    assert err.startswith("missing.yaml:1:1: the policy cannot be read")


def test_the_version_decides(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy is valid or not for the Kubernetes version that is asked for, not for the newest."""
    Path("any.yaml").write_text(f"{HEAD}{QUIET}- {{level: Metadata, resources: [{{group: '*'}}]}}\n")

    assert run(capsys, "any.yaml", "--kubernetes", "1.36")[0] == 1
    assert "AP001" in run(capsys, "any.yaml", "--kubernetes", "1.35")[1]


def test_json_holds_everything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has each finding with place, severity and request, and those that comments suppress."""
    document = json.loads(run(capsys, "warning, 100%.yaml", "ignored.yaml", "--format", "json")[1])

    first, second = document["policies"]
    (finding,) = first["findings"]
    assert (document["kind"], document["kubernetes"]) == ("LintResult", "1.37")
    assert (finding["code"], finding["line"], finding["column"], finding["severity"]) == ("AP504", 4, 10, "warning")
    assert finding["request"] == {
        "method": "GET",
        "uri": "/api/v1/namespaces/somewhere/pods/something",
        "user": {"name": "someone", "groups": ["system:authenticated"]},
        "served": True,
        "level": "Metadata",
        "rule": 1,
        "line": 4,
    }
    assert second["findings"] == []
    assert second["ignored"][0]["reason"] == "strict mode"


def test_annotations_are_escaped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "warning, 100%.yaml", "--format", "github")[1]

    (line,) = out.splitlines()
    assert line.startswith(
        "::warning file=warning%2C 100%25.yaml,line=4,col=10,title=AP504 double-volume::rule 1 (line 4)"
    )
    assert "%0AShown by: GET /api" in line


SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"enum": ["2.1.0"]},
        "runs": {"type": "array", "items": {"$ref": "#/definitions/run"}},
    },
    "definitions": {
        "message": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "location": {
            "type": "object",
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation"],
                    "properties": {
                        "artifactLocation": {
                            "type": "object",
                            "properties": {"uri": {"type": "string", "pattern": '^[^ \\\\<>"]+$'}},
                        },
                        "region": {
                            "type": "object",
                            "properties": {
                                "startLine": {"type": "integer", "minimum": 1},
                                "startColumn": {"type": "integer", "minimum": 1},
                            },
                        },
                    },
                }
            },
        },
        "rule": {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "string"},
                "name": {"type": "string"},
                "shortDescription": {"$ref": "#/definitions/message"},
                "helpUri": {"type": "string", "format": "uri"},
                "help": {
                    "type": "object",
                    "required": ["text"],
                    "additionalProperties": False,
                    "properties": {key: {"type": "string", "minLength": 1} for key in ("text", "markdown")},
                },
                "defaultConfiguration": {
                    "type": "object",
                    "properties": {"level": {"$ref": "#/definitions/level"}},
                    "additionalProperties": False,
                },
            },
            "additionalProperties": False,
        },
        "result": {
            "type": "object",
            "required": ["message"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"$ref": "#/definitions/level"},
                "message": {"$ref": "#/definitions/message"},
                "locations": {"type": "array", "items": {"$ref": "#/definitions/location"}},
                "suppressions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["kind"],
                        "properties": {"kind": {"enum": ["inSource", "external"]}, "justification": {"type": "string"}},
                        "additionalProperties": False,
                    },
                },
            },
        },
        "run": {
            "type": "object",
            "required": ["tool"],
            "additionalProperties": False,
            "properties": {
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "properties": {
                        "driver": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "name": {"type": "string"},
                                "semanticVersion": {"type": "string"},
                                "rules": {
                                    "type": "array",
                                    "uniqueItems": True,
                                    "items": {"$ref": "#/definitions/rule"},
                                },
                            },
                            "additionalProperties": False,
                        }
                    },
                },
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "invocations": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["executionSuccessful"],
                        "additionalProperties": False,
                        "properties": {
                            "executionSuccessful": {"type": "boolean"},
                            "toolExecutionNotifications": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "required": ["message"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "message": {"$ref": "#/definitions/message"},
                                        "level": {"$ref": "#/definitions/level"},
                                        "locations": {"type": "array", "items": {"$ref": "#/definitions/location"}},
                                    },
                                },
                            },
                        },
                    },
                },
                "results": {"type": "array", "items": {"$ref": "#/definitions/result"}},
                "properties": {"type": "object"},
            },
        },
    },
}  # what the schema of SARIF 2.1.0 says of all that is written here, and nothing beside it


def test_sarif_keeps_to_its_schema(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["warning, 100%.yaml", "refused.yaml", "ignored.yaml", "missing.yaml", "note.yaml"]
    document = json.loads(run(capsys, *files, "--format", "sarif")[1])

    jsonschema.validate(document, SARIF)
    run_of_it = document["runs"][0]
    rules = [rule["id"] for rule in run_of_it["tool"]["driver"]["rules"]]
    assert rules == list(CATALOGUE)
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run_of_it["results"])
    assert [(r["ruleId"], r["level"], "suppressions" in r) for r in run_of_it["results"]] == [
        ("AP504", "warning", False),
        ("AP001", "error", False),
        ("AP504", "warning", True),
        ("AP308", "note", False),
    ]
    assert run_of_it["invocations"][0]["executionSuccessful"] is False
    place = run_of_it["results"][0]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "warning%2C%20100%25.yaml"},
        "region": {"startLine": 4, "startColumn": 10},
    }


def test_a_stage_that_is_omitted_twice_makes_no_difference_to_events() -> None:
    rules = (
        "- {level: Metadata, omitStages: [RequestReceived], resources: [{resources: [events]}]}\n- level: Metadata\n"
    )

    assert codes(rules) == ["AP207"]  # and not AP401


@pytest.mark.parametrize(
    ("rule", "code", "told"),
    [
        ("users: ['*']", "AP302", "it matches only a user with this literal name"),
        ("userGroups: ['team-*']", "AP302", "it matches only a group with this literal name"),
        ("namespaces: ['*']", "AP303", "it matches only a request with this literal text in its path"),
        ("namespaces: [Shop]", "AP303", "is not a valid namespace name"),
        ("verbs: ['*']", "AP301", 'only a request for a path with the HTTP method "*" has the verb "*"'),
        ("verbs: ['*'], namespaces: [shop]", "AP301", 'no request has the verb "*"'),
        ("resources: [{resources: ['*/*']}]", "AP304", '"*/*" matches no served resource'),
        ("nonResourceURLs: ['*']", "AP203", "its request line has * for a path"),
    ],
)
def test_what_is_taken_literally_is_not_said_to_match_nothing(rule: str, code: str, told: str) -> None:
    before = "- {level: None, nonResourceURLs: ['/*']}\n" if code == "AP203" else ""
    finding = only(f"{before}- {{level: None, {rule}}}\n- level: Metadata\n", code)

    assert told in finding.message


# Entries that decide nothing


DEAD = [
    ("users", "- {level: None, users: [alice]}\n- {level: Request, users: [alice, bob]}\n", (6, 28)),
    ("groups", "- {level: None, userGroups: [dev]}\n- {level: Request, userGroups: [ops, dev]}\n", (6, 38)),
    ("verbs", "- {level: None, verbs: [get]}\n- {level: Request, verbs: [get, list], namespaces: [shop]}\n", (6, 28)),
    ("namespaces", "- {level: None, namespaces: [shop]}\n- {level: Request, namespaces: [bank, shop]}\n", (6, 39)),
    (
        "a pattern",
        """\
- {level: None, resources: [{resources: ['pods/*']}]}
- {level: Request, resources: [{resources: [nodes, pods/log]}]}
""",
        (6, 52),
    ),
    (
        "a whole group",
        """\
- {level: None, resources: [{group: apps}]}
- {level: Request, resources: [{resources: [nodes]}, {group: apps}]}
""",
        (6, 54),
    ),
    (
        "a name",
        """\
- {level: None, resources: [{resources: [nodes], resourceNames: [a]}]}
- {level: Request, resources: [{resources: [nodes], resourceNames: [a, b]}]}
""",
        (6, 69),
    ),
    (
        "a path",
        "- {level: None, nonResourceURLs: ['/healthz*']}\n- {level: Request, nonResourceURLs: [/version, /healthz]}\n",
        (6, 48),
    ),
    (
        "an account that is never in the group",
        "- {level: None, users: ['system:serviceaccount:shop:web', bob], userGroups: ['system:nodes']}\n",
        (5, 25),
    ),
]


@pytest.mark.parametrize(("rules", "place"), [case[1:] for case in DEAD], ids=[case[0] for case in DEAD])
def test_an_entry_that_decides_nothing_is_found(rules: str, place: tuple[int, int]) -> None:
    assert [one for one in found(f"{rules}- level: Metadata\n") if one[0] == "AP206"] == [("AP206", *place)]


def test_a_dead_entry_names_the_rules_that_decide_and_a_request() -> None:
    finding = only(
        "- {level: None, users: [alice]}\n- {level: Request, users: [alice, bob]}\n- level: Metadata\n", "AP206"
    )

    assert finding.message == (
        '"alice" in users in rule 2 decides nothing: rule 1 (line 5) decides every request that it matches'
    )
    assert finding.advice == "Remove it, or move this rule above line 5 if its level is the one you want."
    assert finding.shown is not None and finding.shown.attributes.user is not None
    assert (finding.shown.attributes.user.name, str(finding.shown.level)) == ("alice", "None")


@pytest.mark.parametrize(
    "rules",
    [
        "- {level: None, users: [alice], verbs: [get]}\n- {level: Metadata, users: [alice, bob]}\n",  # list is left
        "- {level: None, userGroups: [ops]}\n- {level: Metadata, userGroups: [ops, dev], users: [alice, bob]}\n",
        "- {level: Metadata, nonResourceURLs: [/version, /not-in-the-list-of-paths]}\n",
        "- {level: Metadata, resources: [{resources: [pods, podz]}]}\n",  # has AP306
    ],
)
def test_an_entry_that_decides_something_or_has_a_finding_is_not(rules: str) -> None:
    expected = ["AP206"] if "[ops, dev]" in rules else []  # whoever is in ops is taken, whatever else they are in

    assert [code for code in codes(f"{rules}- level: None\n") if code == "AP206"] == expected


def test_an_entry_of_a_rule_that_is_dead_as_a_whole_has_no_finding_of_its_own() -> None:
    assert codes("- {level: None}\n- {level: Metadata, users: [alice, bob]}\n") == ["AP205", "AP201"]


@slowly
@given(policies)
def test_an_entry_that_is_called_dead_decides_no_ordinary_request(policy: Policy) -> None:
    subject = Subject(policy, SERVED)
    dead = {finding.position for finding in lint(policy, SERVED) if finding.code == "AP206"}

    for rule in policy.rules:
        alone = [
            with_values(rule, field, (value,))
            for field, key in KEYS.items()
            for n, value in enumerate(values_of(rule, field))
            if subject.places.of("rules", rule.index, key, n) in dead
        ]
        for attributes in unlike(policy) if alone else ():
            ordinary = attributes.user in HONEST and attributes.verb in ("get", "update", "patch") and attributes.name
            if ordinary and attributes.resource == "pods" and decide(policy, attributes).rule is rule:
                assert all(no_match(one, attributes) for one in alone)


# Rules that change nothing


@slowly
@given(policies)
def test_redundant_rules_change_nothing_and_all_others_that_are_reached_do(policy: Policy) -> None:
    """Held against the diff: without all of them nothing changes, and without any other rule something does."""
    redundant = {finding.position for finding in lint(policy, SERVED) if finding.code == "AP207"}

    def without(*dropped: PolicyRule) -> Policy:
        return replace(policy, rules=tuple(rule for rule in policy.rules if rule not in dropped))

    def changes(left: Policy) -> bool:
        return any(change is not None for _, change in changed(policy, left, SERVED)[1])

    mine = [rule for rule in policy.rules if rule.position in redundant]
    assert not changes(without(*mine))
    witnesses = reachable(policy, SERVED)
    for rule in policy.rules:
        if rule.position not in redundant and rule.index in witnesses and not has_no_condition(rule):
            assert changes(without(*mine, rule))


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("- {level: Metadata, verbs: [get]}\n- level: Metadata\n", "rule 2 (line 6) decides the same"),
        (
            "- {level: Metadata, verbs: [get]}\n- {level: None, users: [alice]}\n",
            "no rule matches its requests, which are not recorded either",
        ),
        (
            "- {level: None, verbs: [get]}\n- {level: None, users: [alice]}\n- {level: Metadata, verbs: [list]}\n",
            "rule 2 (line 6) decides the same, or no rule matches its requests, which are not recorded either",
        ),
    ],
)
def test_a_redundant_rule_names_what_decides_instead(rules: str, told: str) -> None:
    findings = [one for one in examined(HEAD + QUIET + rules).findings if one.code == "AP207"]

    assert any(one.message.endswith(f"changes nothing: without it, {told}") for one in findings)
    assert {str(one.severity) for one in findings} == {"info"}


def test_of_two_rules_that_replace_each_other_one_is_left() -> None:
    """The last one is never reached, and is not what makes the first redundant."""
    rule = "- {level: Metadata, verbs: [list], namespaces: [shop]}\n"

    assert codes(f"{rule}{rule}- level: None\n") == ["AP201"]


def test_what_no_rule_matches_is_a_note() -> None:
    finding = only("- {level: Metadata, namespaces: [shop]}\n", "AP208")

    assert (finding.position.line, str(finding.severity)) == (4, "info")
    assert finding.shown is not None and "not recorded, no rule matches" in str(finding.shown)
    assert "AP208" not in codes("- {level: Metadata, namespaces: [shop]}\n- level: None\n")


# Stages that are all omitted


NOTHING = "omitStages: [RequestReceived, ResponseStarted, ResponseComplete]\nrules:\n- level: Metadata\n"


def test_what_is_omitted_at_every_stage_is_not_called_recorded() -> None:
    nothing, rule = examined(HEAD + NOTHING).findings

    assert (nothing.code, rule.code) == ("AP205", "AP204")  # and no AP403 about failed logins on top
    assert nothing.shown is not None
    assert "not recorded by rule 1 (line 5), because all its stages are omitted at Metadata" in str(nothing.shown)
    assert nothing.shown.to_dict()["level"] == "None"
    assert nothing.advice.startswith("Remove ResponseStarted and ResponseComplete from omitStages of the policy")


def test_a_policy_whose_first_rule_takes_all_is_not_told_to_add_one() -> None:
    finding = only("- level: None\n- {level: None, verbs: [get]}\n", "AP205")

    assert finding.advice == "Write a level above None in rule 1 (line 5), which takes all requests."


# What was meant


@pytest.mark.parametrize(
    ("group", "resources", "meant"),
    [
        ("v1", "[deployments]", "apps"),
        ("v1", "[pods]", ""),
        ("v1", "['*']", ""),
        ("v1beta1", "[subjectaccessreviews]", "authorization.k8s.io"),
        ("core", "[deployments, statefulsets]", "apps"),
    ],
)
def test_a_version_in_place_of_a_group_suggests_the_group_that_serves_the_resources(
    group: str, resources: str, meant: str
) -> None:
    finding = only(f"- {{level: Request, resources: [{{group: {group}, resources: {resources}}}]}}\n", "AP307")

    assert finding.advice == f'Did you mean "{meant}"?'
    assert finding.shown is not None and finding.shown.served and finding.shown.attributes.api_group == meant


@pytest.mark.parametrize("group", ["audit.k8s.io", "kubeadm.k8s.io", "apiserver.config.k8s.io"])
def test_a_group_of_files_is_served_by_no_server(group: str) -> None:
    finding = only(f"- {{level: Request, resources: [{{group: {group}}}]}}\n", "AP307")

    assert f'no API server serves the group "{group}"' in finding.message
    assert finding.shown is not None and not finding.shown.served


@pytest.mark.parametrize("group", ["metrics.k8s.io", "gateway.networking.k8s.io", "snapshot.storage.k8s.io"])
def test_a_group_of_the_projects_own_extensions_may_be_served(group: str) -> None:
    assert "AP307" not in codes(f"- {{level: Request, resources: [{{group: {group}}}]}}\n")


@pytest.mark.parametrize(
    ("group", "short", "name"),
    [("", "po", "pods"), ("", "svc", "services"), ("", "cm", "configmaps"), ("apps", "deploy", "deployments")],
)
def test_a_short_name_is_known(group: str, short: str, name: str) -> None:
    finding = only(f"- {{level: Request, resources: [{{group: '{group}', resources: [{short}]}}]}}\n", "AP306")

    assert finding.advice == f'Did you mean "{name}"?'
    assert finding.shown is not None and finding.shown.attributes.resource == name


def test_every_short_name_stands_for_a_resource() -> None:
    known = {entry.resource for minor in minors() for entry in load_served(minor).resources}

    assert set(SHORT_NAMES.values()) <= known and not known & set(SHORT_NAMES)


@pytest.mark.parametrize(
    ("field", "value", "meant"),
    [
        ("userGroups", "system:node", "system:nodes"),
        ("userGroups", "system:serviceaccount", "system:serviceaccounts"),
        ("userGroups", "system:authenticate", "system:authenticated"),
        ("users", "system:kube-proxi", "system:kube-proxy"),
        ("users", "system:anonymus", "system:anonymous"),
    ],
)
def test_an_almost_built_in_user_or_group_is_found(field: str, value: str, meant: str) -> None:
    finding = only(f"- {{level: None, {field}: ['{value}'], verbs: [get]}}\n- level: Metadata\n", "AP315")

    assert finding.advice == f'Did you mean "{meant}"?'
    assert finding.shown is not None


@pytest.mark.parametrize(
    "condition",
    [
        "userGroups: ['system:nodes']",
        "userGroups: ['system:serviceaccounts:kube-systems']",
        "users: ['system:serviceaccount:kube-system:node']",
        "users: ['system:monitoring']",
        "userGroups: ['system:bootstrappers:kubeadm:default-node-token']",
    ],
)
def test_a_name_of_which_there_are_many_is_not_misspelt(condition: str) -> None:
    assert "AP315" not in codes(f"- {{level: None, {condition}, verbs: [get]}}\n- level: Metadata\n")


# Many findings


def test_many_findings_of_one_kind_are_one_with_a_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In text; with --all, and for programs, each is there. Three of one kind are each shown."""
    monkeypatch.chdir(tmp_path)
    rule = "- {level: None, verbs: [LIST], namespaces: [team-%s]}\n"
    Path("many.yaml").write_text(HEAD + QUIET + "".join(rule % n for n in range(12)) + "- level: Metadata\n")
    Path("few.yaml").write_text(HEAD + QUIET + "".join(rule % n for n in range(3)) + "- level: Metadata\n")

    code, text, _ = run(capsys, "many.yaml")

    lines = text.splitlines()
    assert code == 1 and len(lines) == 6
    assert lines[0].startswith("many.yaml:5:25: error AP301 no-such-verb: ")
    assert lines[3] == "    and 11 more of this kind, in lines 6, 7, 8, 9, 10 and 6 more (--all shows each)"
    assert lines[4] == "1 policy for Kubernetes 1.37: 12 errors"
    assert run(capsys, "many.yaml", "--all")[1].count("error AP301") == 12
    assert run(capsys, "few.yaml")[1].count("error AP301") == 3
    assert len(json.loads(run(capsys, "many.yaml", "--format", "json")[1])["policies"][0]["findings"]) == 12
    assert len(json.loads(run(capsys, "many.yaml", "--format", "sarif")[1])["runs"][0]["results"]) == 12
    assert run(capsys, "many.yaml", "--format", "github")[1].count("::error ") == 12
