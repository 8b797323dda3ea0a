"""An edited policy meets the requirements, and records no other request in another way: compared class by class."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given

from auditproof import content
from auditproof.analysis.diff import diff
from auditproof.analysis.fix import Fix, NotEditable, Removed, edited, fix, unified
from auditproof.analysis.fix.conditions import Inexpressible, both
from auditproof.analysis.lint import examine
from auditproof.analysis.requirements import Requirement, check_requirement, load_requirements, shipped
from auditproof.analysis.requirements.check import allows
from auditproof.analysis.space import Space
from auditproof.analysis.space.cells import SERVED
from auditproof.analysis.space.streams import STREAMS, emitted_by, streams_from
from auditproof.audit.decide import decide, decided_by, no_match
from auditproof.audit.effect import effect_of
from auditproof.audit.event import Level
from auditproof.audit.policy.load import Policy, PolicyRule, load_policy, parse_policy
from auditproof.cli.main import main
from auditproof.kube.discovery import load_served
from tests.analysis.test_diff import pairs
from tests.support.properties import examples
from tests.support.random_policies import every_request, policies, users

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SERVED_BY = load_served("1.37")
FOLDER = content.root() / "suites" / "requirements"
POLICIES = content.root() / "fixtures" / "policies"
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
META = "- level: Metadata\n"
CONTROL_PLANE = ("system:apiserver", "system:kube-controller-manager", "system:kube-scheduler")
# A usual cut of costs: no rule in front of the first one can say what it should have left in.
CUT = """\
  - level: None
    userGroups: ["system:serviceaccounts:kube-system", "system:nodes"]
  - level: RequestResponse
"""
OURS = """\
apiVersion: auditproof/v1
kind: Requirements
title: Ours
requirements:
- id: pods
  title: Pods are recorded
  for: [{resources: [pods, secrets], verbs: [get, create, delete]}]
  except: [{users: [alice]}, {namespaces: [kube-system], verbs: [get]}]
  level: {atLeast: Metadata}
  because: b
  source: s
- id: low
  title: Secrets have no bodies
  for: [{resources: [secrets]}]
  level: {atMost: Metadata}
  because: b
  source: s
"""


def policy_of(rules: str, head: str = HEAD) -> Policy:
    return parse_policy((head + rules).encode(), "p.yaml")


def ours(folder: Path, text: str = OURS) -> tuple[Requirement, ...]:
    (folder / "ours.yaml").write_text(text)
    return load_requirements(str(folder / "ours.yaml")).requirements


def meaning(policy: Policy) -> list[tuple[Any, ...]]:
    """What the rules say, without their places in a file."""
    return [
        (
            rule.level,
            rule.users,
            rule.user_groups,
            rule.verbs,
            [(entry.group, entry.resources, entry.resource_names) for entry in rule.resources],
            rule.namespaces,
            rule.non_resource_urls,
            rule.omit_stages,
            rule.omit_managed_fields,
        )
        for rule in policy.rules
    ]


def changed_without_need(old: Policy, new: Policy, requirements: Sequence[Requirement]) -> list[object]:
    """Ordinary requests, but failed logins, that violate no requirement and are recorded in another way."""
    rules: list[PolicyRule] = []
    lists = []
    for some in (old.rules, new.rules, *(own for one in requirements for own in one.rule_lists)):
        lists.append((len(rules), len(rules) + len(some)))
        rules += some
    streams = streams_from(len(rules))
    space = Space.of([*rules, *STREAMS], SERVED_BY)
    found: list[object] = []
    for outcome in space.outcomes(*lists):
        if outcome.oddness[:2] != (SERVED, 0) or outcome.identity.failed or is_never_issued(space.user(outcome)):
            continue
        before, after, *places = outcome.deciding
        was, now = decided_by(old, old.rule_at(before)), decided_by(new, new.rule_at(after))
        if effect_of(was, failed=False) == effect_of(now, failed=False):
            continue
        emitted = emitted_by(outcome, streams)
        wrong = False
        for one in requirements:
            count = len(one.rule_lists)
            bound = one.bound_at(places[:count], emitted)
            places = places[count:]
            wrong |= bound is not None and not allows(bound, was, emitted)
        if not wrong:
            found.append((space.user(outcome), outcome.cells[0]))
    return found


def is_never_issued(user: Any) -> bool:
    """Whether a component of the control plane would be in a group that its certificate does not have."""
    return user.name in CONTROL_PLANE and not {"system:authenticated", "system:masters"}.issuperset(user.groups)


def violated(policy: Policy, requirements: Sequence[Requirement]) -> set[str]:
    return {one.id for one in requirements if check_requirement(policy, one, SERVED_BY).violations}


def check(policy: Policy, requirements: Sequence[Requirement]) -> Fix:
    """Fix the policy: what is said to be met is met, and nothing else changes."""
    found = fix(policy, requirements, SERVED_BY)
    assert violated(found.policy, requirements) == {one.id for one, _ in found.unmet}
    assert changed_without_need(policy, found.policy, requirements) == []
    return found


@cache
def errors(text: str) -> frozenset[str]:
    """The codes of what the linter calls an error in a policy."""
    found = examine(parse_policy(text.encode(), "p.yaml"), SERVED_BY).findings
    return frozenset(one.code for one in found if str(one.severity) == "error")


# Each policy with the file that asks for most; each file with a policy that needs few edits and with one that needs
# many. "levels", with each file, needs as many, in places like those of "resources", and takes twice as long.
EACH = ("baseline", "levels", "resources") if os.environ.get("AUDITPROOF_TEST_ALL") else ("baseline", "resources")
PAIRS = [
    (path, name)
    for path in sorted(POLICIES.glob("*.yaml"))
    for name in shipped(FOLDER)
    if path.stem in EACH or name == "compliance"
]


@pytest.mark.thorough
@pytest.mark.parametrize(("path", "name"), PAIRS, ids=[f"{path.stem}-{name}" for path, name in PAIRS])
def test_a_shipped_policy_meets_each_shipped_file_with_a_patch_that_applies(
    path: Path, name: str, tmp_path: Path
) -> None:
    """And the linter finds no error in it that was not there."""
    policy, requirements = load_policy(path), load_requirements(name).requirements

    found = check(policy, requirements)

    assert all(reason for _, reason in found.unmet)
    text = path.read_text()
    new = edited(text, found.edits, path.name)
    assert meaning(parse_policy(new.encode(), path.name)) == meaning(found.policy)
    (tmp_path / "policy.yaml").write_text(text)
    if patch := unified(text, new, "policy.yaml"):
        subprocess.run(["patch", "-p1", "-s"], input=patch.encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "policy.yaml").read_text() == new
    assert errors(new) <= errors(text)


@examples(12)
@given(policy=policies)
def test_any_policy_is_fixed_exactly(policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(policy, ours(tmp_path_factory.mktemp("r")))


@examples(8)
@given(pair=pairs())
def test_a_policy_records_at_least_what_a_reference_does_once_fixed(
    pair: tuple[Policy, Policy], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Or a sentence says why not."""
    folder = tmp_path_factory.mktemp("r")
    reference, policy = pair
    (folder / "ref.yaml").write_text(reference.text)
    text = OURS.partition("- id: low")[0].replace("{atLeast: Metadata}", "{atLeast: {policy: ref.yaml}}")

    check(policy, ours(folder, text))


@examples(25)
@given(pair=pairs())
def test_the_common_conditions_of_two_rules_are_met_by_what_meets_both(pair: tuple[Policy, Policy]) -> None:
    asked = every_request()[::41]
    honest = [user for user, is_honest in users() if is_honest and user is not None][::17]
    for one in pair[0].rules:
        for other in pair[1].rules:
            try:
                common = both(one, other)
            except Inexpressible:
                continue
            for request in asked:
                for user in honest:
                    about = type(request)(**{**_fields(request), "user": user})
                    meets = no_match(one, about) is None and no_match(other, about) is None
                    assert (common is not None and no_match(common, about) is None) is meets


def _fields(request: Any) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__dataclass_fields__}


def test_a_policy_that_meets_everything_is_left_alone() -> None:
    assert fix(policy_of(META), load_requirements("cis").requirements, SERVED_BY).edits == ()


def test_the_level_of_a_rule_is_changed_if_all_its_requests_are_wrong() -> None:
    found = check(policy_of("- level: Request\n"), load_requirements("stig").requirements)

    assert len(found.edits) == 1 and meaning(found.policy)[0][0].value == "RequestResponse"


def test_what_a_requirement_excepts_is_kept(tmp_path: Path) -> None:
    found = check(policy_of("- {level: None, resources: [{resources: [pods]}]}\n- level: Metadata\n"), ours(tmp_path))

    assert decide(found.policy, _get("alice")).level.value == "None"
    assert decide(found.policy, _get("bob")).level.value == "Metadata"


def _get(user: str) -> Any:
    from auditproof.kube.attributes import Attributes, UserInfo

    return Attributes(UserInfo(user, ("system:authenticated",)), "get", "shop", "", "v1", "pods", "", "web")


NO_SECRETS = "- {level: None, resources: [{resources: [secrets]}]}\n- level: Metadata\n"
QUIET = "".join(
    f"- {{level: None, users: [u{n}], resources: [{{resources: [secrets, configmaps, nodes]}}]}}\n" for n in range(9)
)
SIZES = {
    "quiet users, cis": (QUIET + META, "cis", 18, 1),
    "a cut, cis": (CUT, "cis", 7, 4),
    "a cut, baseline": (CUT, "baseline", 9, 4),
    "no secrets, cis": (NO_SECRETS, "cis", 4, 1),
    "nothing, stig": ("- level: None\n", "stig", 1, 1),
    "metadata, stig": ("- level: Metadata\n", "stig", 1, 1),
}


@pytest.mark.parametrize("case", SIZES)
def test_a_fix_is_no_longer_than_that(case: str) -> None:
    """The numbers of docs/requirements.md; with allow_more other requests start being recorded, without bodies."""
    rules, name, exact, short = SIZES[case]
    policy, requirements = policy_of(rules), load_requirements(name).requirements

    assert check(policy, requirements).size == exact
    found = fix(policy, requirements, SERVED_BY, allow_more=True)
    assert (found.size, found.unmet, violated(found.policy, requirements)) == (short, (), set())
    for one in diff(policy, found.policy, SERVED_BY).differences:
        if one.change.new.level > one.change.old.level and name != "stig":
            assert one.change.new.level is Level.METADATA


def test_rules_of_a_fix_name_each_group_once_and_no_user_who_cannot_match() -> None:
    """Neither the controller manager in the group of kubelets, nor a service account with the groups that it has."""
    found = fix(policy_of(CUT), load_requirements("baseline").requirements, SERVED_BY)

    for edit in found.edits:
        for rule in getattr(edit, "rules", ()):
            assert not {*CONTROL_PLANE} & {*rule.users} or not rule.user_groups
            assert not any(user.startswith("system:serviceaccount:") for user in rule.users) or not rule.user_groups
            keys = [(entry.group, entry.resource_names, not entry.resources) for entry in rule.resources]
            assert len(keys) == len(set(keys))


def test_stages_that_the_policy_omits_everywhere_are_left_to_its_author(tmp_path: Path) -> None:
    text = OURS.partition("- id: low")[0].replace("  because", "  stages: {atLeast: [ResponseComplete]}\n  because", 1)
    head = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [ResponseComplete]\nrules:\n"

    ((_, reason),) = fix(policy_of(META, head), ours(tmp_path, text), SERVED_BY).unmet

    assert reason == "the policy omits ResponseComplete for all rules: remove it from the omitStages at the top"


def test_before_any_rule_could_name_all_groups_none_does() -> None:
    """With Kubernetes 1.35, the edited policy is one that its API server accepts."""
    served = load_served("1.35")
    policy = parse_policy((HEAD + "- level: None\n").encode(), "p.yaml", kubernetes="1.35")
    for name in shipped(FOLDER):
        requirements = load_requirements(name).requirements
        found = fix(policy, requirements, served)
        text = edited(policy.text, found.edits, "p.yaml")
        fixed = parse_policy(text.encode(), "p.yaml", kubernetes="1.35")
        assert not found.unmet
        assert not [one.id for one in requirements if check_requirement(fixed, one, served).violations]


FORMS = {
    "indented": HEAD + "  # about bob\n  - level: None\n    users: [bob]  # bob\n\n  - level: Metadata\n",
    "flow": HEAD + "- {level: None, users: [bob]}\n- {level: Metadata}\n",
    "no line break at the end": (HEAD + "- level: None\n  users: [bob]\n- level: Metadata").rstrip(),
    "carriage returns": (HEAD + "- level: None\n  users: [bob]\n- level: Metadata\n").replace("\n", "\r\n"),
    "rules first": "rules:\n- level: None\n  users: [bob]\n- level: Metadata\n" + HEAD.partition("rules:")[0],
    "a dash alone": HEAD + "-\n  level: None\n  users: [bob]\n- level: Metadata\n",
    "at the end": HEAD + "- level: None\n  users: [bob]\n- level: Metadata\n  verbs: [get] # reads\n# the end\n",
    "quoted level": HEAD + '- level: "None"\n  users: [bob]\n- level: Metadata\n',
}


@pytest.mark.parametrize("form", FORMS)
def test_an_edit_keeps_everything_else_in_the_file(form: str, tmp_path: Path) -> None:
    """Each line of the file but a changed level, its indentation and its line breaks; git accepts the patch."""
    text = FORMS[form]
    policy, requirements = parse_policy(text.encode(), "p.yaml"), load_requirements("security-monitoring").requirements
    found = fix(policy, requirements, SERVED_BY)

    new = edited(text, found.edits, "p.yaml")

    assert found.edits and not any(isinstance(edit, Removed) for edit in found.edits)
    assert meaning(parse_policy(new.encode(), "p.yaml")) == meaning(found.policy)
    left = iter(new.splitlines())
    assert all(any(line == other for other in left) for line in text.splitlines() if "level: " not in line)
    assert new.count("\r\n") == (new.count("\n") if "\r\n" in text else 0)
    (tmp_path / "p.yaml").write_bytes(text.encode())
    patch = unified(text, new, "p.yaml").encode()
    subprocess.run(["git", "apply", "-"], input=patch, cwd=tmp_path, check=True)
    assert (tmp_path / "p.yaml").read_bytes() == new.encode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD.replace("\n", ", ").replace("rules:,", "rules: [{level: None}]").strip(", "), "in brackets"),
        (HEAD + "- &a {level: None, users: [bob]}\n- *a\n", "a rule is an alias of another one"),
        (HEAD + "- level: None # one\u2028two\n", "line breaks that a patch does not know"),
    ],
)
def test_a_file_that_cannot_be_edited_is_left_alone(text: str, said: str) -> None:
    source = "{" + text + "}" if "in brackets" in said else text
    found = fix(policy_of("- level: None\n"), load_requirements("cis").requirements, SERVED_BY)

    with pytest.raises(NotEditable, match=said):
        edited(source, found.edits, "p.yaml")


# The command


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(HEAD + "- {level: None, resources: [{resources: [secrets]}]}\n- level: Metadata\n")
    return tmp_path / "p.yaml"


def test_the_patch_says_what_it_changes_and_applies(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["requirements", "p.yaml", "--requirements", "cis"]) == 1
    capsys.readouterr()
    assert main(["fix", "p.yaml", "--requirements", "cis"]) == 0
    out = capsys.readouterr().out

    assert out.startswith("# With this patch 5 of 5 requirements are met, on Kubernetes 1.37.2.\n")
    assert "# starts being recorded: None → Metadata\n" in out and "\n--- a/p.yaml\n+++ b/p.yaml\n" in out
    assert all(line.startswith("#") for line in out.partition("\n--- a/")[0].splitlines())
    subprocess.run(["git", "apply", "-"], input=out.encode(), cwd=policy.parent, check=True)
    assert main(["requirements", "p.yaml", "--requirements", "cis"]) == 0
    assert main(["fix", "p.yaml", "--requirements", "cis"]) == 0
    assert "# Every requirement is met: there is nothing to fix.\n" in capsys.readouterr().out


def test_the_file_is_edited_on_request(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "p.yaml", "--requirements", "cis", "--write"]) == 0
    assert "# p.yaml is edited.\n" in capsys.readouterr().out
    assert main(["requirements", "p.yaml", "--requirements", "cis"]) == 0


def test_a_policy_in_a_config_map_is_edited_there(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(f"    {line}\n" for line in policy.read_text().splitlines())
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: audit}\ndata:\n"
    (policy.parent / "map.yaml").write_text(f"{head}  p.yaml: |\n{text}  other: kept\n")

    (policy.parent / "old.yaml").write_text((policy.parent / "map.yaml").read_text())
    assert main(["fix", "map.yaml", "--requirements", "cis", "--write"]) == 0
    said = {line.removeprefix("# ") for line in capsys.readouterr().out.splitlines()}
    assert main(["diff", "old.yaml", "map.yaml"]) == 1
    assert said.issuperset(filter(None, capsys.readouterr().out.splitlines()[2:])), "lines are those of the document"
    document = yaml.safe_load((policy.parent / "map.yaml").read_text())
    assert document["data"]["other"] == "kept" and "secrets" in document["data"]["p.yaml"]
    assert main(["requirements", "map.yaml", "--requirements", "cis"]) == 0


def test_a_policy_that_its_document_encodes_is_left_alone(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import base64

    encoded = base64.b64encode(policy.read_bytes()).decode()
    (policy.parent / "s.yaml").write_text(f"apiVersion: v1\nkind: Secret\ndata:\n  p.yaml: {encoded}\n")

    assert main(["fix", "s.yaml", "--requirements", "cis"]) == 4
    assert "fix the policy in a file of its own" in capsys.readouterr().err


def test_requirements_of_two_files_that_contradict_each_other_are_refused(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the pair, what it wants and the requests; and `requirements` says the same."""
    entry = "- {id: %s, title: t, because: b, source: s, for: [{resources: [configmaps]}], level: {%s}}\n"
    head = "apiVersion: auditproof/v1\nkind: Requirements\ntitle: t\nrequirements:\n"
    (policy.parent / "low.yaml").write_text(head + entry % ("low", "atMost: Metadata"))
    (policy.parent / "high.yaml").write_text(
        head + entry % ("high", "atLeast: Request") + entry % ("any", "atLeast: None")
    )

    assert main(["fix", "p.yaml", "--requirements", "low.yaml,high.yaml"]) == 4
    assert "low and high (at most Metadata against at least Request): all verbs configmaps" in capsys.readouterr().err
    assert policy.read_text().count("level") == 2
    assert main(["requirements", "p.yaml", "--requirements", "low.yaml,high.yaml"]) == 1
    out = capsys.readouterr().out
    assert out.count("CONTRADICTION") == 1 and "CONTRADICTION low, high: no policy can meet them together" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.yaml"], "nowhere.yaml:1:1: the policy cannot be read"),
        (["p.yaml", "--requirements", "cys"], "did you mean cis?"),
        (["json.json", "--requirements", "cis"], 'in brackets, as in JSON; write the rules as a list with one "- "'),
    ],
)
def test_what_cannot_be_used_is_an_error(
    policy: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = '"rules": [{"level": "None"}]'
    (policy.parent / "json.json").write_text('{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", ' + rules + "}")

    assert main(["fix", *arguments]) == 4
    assert said in capsys.readouterr().err
