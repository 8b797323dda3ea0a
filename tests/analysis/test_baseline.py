"""Which unmet requirements are new: compared with decide() under both policies, and with the entries of a file."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given

from auditproof.analysis.gate import load_acknowledged, with_entries
from auditproof.analysis.requirements import (
    FailOn,
    KnownUnmet,
    RequirementsFile,
    Status,
    check_requirement,
    load_requirements,
    status_of,
)
from auditproof.audit.decide import decide
from auditproof.audit.policy.load import Policy, parse_policy
from auditproof.audit.stages import emitted_stages
from auditproof.cli.main import main
from auditproof.errors import AuditproofError, Position, SourceError
from auditproof.kube.discovery import load_served
from tests.analysis.test_diff import pairs
from tests.support.properties import examples
from tests.support.random_policies import every_request, users

if TYPE_CHECKING:
    from pathlib import Path

SERVED = load_served("1.37")
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
META = "- level: Metadata\n"
NO_PODS, NO_SECRETS = (f"- {{level: None, resources: [{{resources: [{name}]}}]}}\n" for name in ("pods", "secrets"))
NO_GETS = "- {level: None, verbs: [get], resources: [{resources: [pods]}]}\n"
OURS = """\
apiVersion: auditproof/v1
kind: Requirements
title: Ours
requirements:
- {id: pods, title: Pods, for: [{resources: [pods]}], level: {atLeast: Metadata}, because: b, source: s}
- {id: secrets, title: Secrets, for: [{resources: [secrets]}], level: {atLeast: Metadata}, because: b, source: s}
"""
TODAY = date(2026, 6, 1)
HONEST = [user for user, honest in users() if honest and user][::7]


@pytest.fixture
def ours(tmp_path: Path) -> RequirementsFile:
    (tmp_path / "ours.yaml").write_text(OURS)
    return load_requirements(str(tmp_path / "ours.yaml"))


def policy_of(rules: str) -> Policy:
    return parse_policy((HEAD + rules).encode(), "p.yaml")


def status(
    ours: RequirementsFile, new: str, old: str | None = None, entries: tuple[KnownUnmet, ...] | None = None
) -> Status:
    base = policy_of(old) if old is not None else None
    results = [check_requirement(policy_of(new), one, SERVED, base) for one in ours.requirements]
    return status_of([(ours, results)], entries, TODAY)


def states(found: Status) -> list[str]:
    return [str(one.state) for one in found.standings]


def entry(requirement: str, until: date | None = None, line: int = 4) -> KnownUnmet:
    return KnownUnmet(requirement, "later", "sre", "CHG-1", until, Position("audit-changes.yaml", line, 16))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (None, NO_PODS + META, ["unmet", "met"]),
        (META, META, ["met", "met"]),
        (META, NO_PODS + META, ["new", "met"]),
        (NO_PODS + META, NO_PODS + META, ["known", "met"]),
        (NO_PODS + META, NO_SECRETS + META, ["fixed", "new"]),
        (NO_PODS + META, NO_GETS + META, ["known", "met"]),  # fewer requests than before
        (NO_GETS + META, NO_PODS + META, ["new", "met"]),  # more requests than before
    ],
)
def test_a_requirement_is_known_if_no_more_requests_violate_it_than_before(
    old: str | None, new: str, found: list[str], ours: RequirementsFile
) -> None:
    assert states(status(ours, new, old)) == found


@examples(15)
@given(pair=pairs())
def test_the_base_is_compared_request_by_request(
    pair: tuple[Policy, Policy], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A request that violates a requirement now, and did not before, is in a violation that is not known."""
    folder = tmp_path_factory.mktemp("ours")
    (folder / "ours.yaml").write_text(OURS)
    (requirement, _) = load_requirements(str(folder / "ours.yaml")).requirements
    old, new = pair

    result = check_requirement(new, requirement, SERVED, old)

    def breaks(policy: Policy, asked: object) -> bool:
        decision = decide(policy, asked)
        left = emitted_stages(asked, 200) - decision.omit_stages
        return not requirement.bound.allows(decision.level) or not left

    for violation in [*result.violations]:
        assert breaks(new, violation.witness.attributes)
        assert breaks(old, violation.witness.attributes) is violation.known
    pods = [one for one in every_request() if (one.api_group, one.resource, one.subresource) == ("", "pods", "")]
    served = [
        replace(one, user=user)
        for one in pods
        if one.namespace in ("shop", "else") and (one.verb, bool(one.name)) in (("get", True), ("create", False))
        for user in HONEST
    ]
    assert served
    newly = any(breaks(new, one) and not breaks(old, one) for one in served)
    assert not newly or any(not violation.known for violation in result.violations)
    assert result.base_met is (not check_requirement(old, requirement, SERVED).violations)


def test_an_entry_makes_a_requirement_known_until_its_last_day(ours: RequirementsFile) -> None:
    """By its id, or by file and id; afterwards the requirement is new, and the entry is reported."""
    for name in ("pods", "ours/pods"):
        found = status(ours, NO_PODS + META, entries=(entry(name, TODAY),))
        assert states(found) == ["known", "met"] and found.standings[0].by == entry(name, TODAY)
    over = entry("pods", date(2026, 5, 31))
    found = status(ours, NO_PODS + META, entries=(over,))
    assert (states(found), found.expired, found.standings[0].by) == (["new", "met"], (over,), None)


def test_an_entry_covers_no_other_requirement(ours: RequirementsFile) -> None:
    found = status(ours, NO_PODS + NO_SECRETS + META, entries=(entry("pods"),))

    assert states(found) == ["known", "new"]
    assert found.fails(FailOn.NEW) and found.fails(FailOn.UNMET) and not found.fails(FailOn.NEVER)


def test_an_entry_whose_requirement_is_met_is_no_longer_needed(ours: RequirementsFile) -> None:
    """Whether it is over or not, and also if the requirement was met by this very change."""
    for one in (entry("pods"), entry("pods", date(2020, 1, 1))):
        found = status(ours, META, NO_PODS + META, (one,))
        assert (states(found), found.unneeded, found.expired) == (["fixed", "met"], (one,), ())


def test_an_entry_about_a_shipped_file_that_is_not_checked_is_named(ours: RequirementsFile) -> None:
    other = entry("cis/cis-3-2-1")
    found = status(ours, META, entries=(other,))

    assert (found.unchecked, found.unneeded) == ((other,), ())


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["pod"], '4:16: unknown requirement "pod"; did you mean "pods"? (checked are those of '),
        (["our/pods"], '4:16: unknown requirement "our/pods"; did you mean "ours/pods"?'),
        (["cis/cis-9"], '4:16: unknown requirement "cis/cis-9"'),
        (["pods", "ours/pods"], "5:16: this requirement is acknowledged already, in line 4: remove one of the two"),
    ],
)
def test_an_entry_names_exactly_one_requirement_and_is_the_only_one(
    names: list[str], said: str, ours: RequirementsFile
) -> None:
    with pytest.raises(SourceError) as error:
        status(ours, META, entries=tuple(entry(name, line=n) for n, name in enumerate(names, 4)))

    assert f"audit-changes.yaml:{said}" in str(error.value)


def test_an_id_that_several_files_have_needs_its_file(ours: RequirementsFile, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text(OURS)
    more = load_requirements(str(tmp_path / "more.yaml"))
    checked = [
        (file, [check_requirement(policy_of(META), one, SERVED) for one in file.requirements]) for file in (ours, more)
    ]

    with pytest.raises(
        SourceError, match=r'"pods" is a requirement of 2 files; name one of them: ours/pods, more/pods'
    ):
        status_of(checked, [entry("pods")])
    assert status_of(checked, [entry("more/pods")]).unneeded


ENTRIES = """\
apiVersion: auditproof/v1
kind: AcknowledgedChanges
requirements:
- requirement: ours/pods
  because: until the log is cheaper
  approvedBy: sre
  until: 2027-01-31
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2027-01-31", "2027-02-31", "7:10: 2027-02-31 is no date; expected one such as 2027-01-31"),
        ("sre", "TODO", "6:15: approvedBy is still to be filled in: say who"),
        ("because:", "why:", '5:3: requirements.0.why: unknown key "why"'),
        (
            "- requirement",
            "- {requirement: ours/pods, because: a, approvedBy: b}\n- requirement",
            "5:16: this requirem",
        ),
    ],
)
def test_a_mistake_in_the_list_is_reported_where_it_is(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "audit-changes.yaml"
    file.write_text(ENTRIES.replace(old, new, 1))

    with pytest.raises(SourceError) as error:
        load_acknowledged(file)

    assert f"audit-changes.yaml:{said}" in str(error.value)


@pytest.fixture
def files(tmp_path: Path, ours: RequirementsFile) -> list[str]:
    (tmp_path / "new.yaml").write_text(HEAD + NO_PODS + META)
    (tmp_path / "old.yaml").write_text(HEAD + NO_GETS + META)
    return [str(tmp_path / "new.yaml"), "--requirements", str(ours.path)]


def test_the_exit_code_says_whether_a_requirement_is_newly_unmet(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default if there is anything to compare with, and every unmet one otherwise."""
    same, old = ["--base", files[0]], ["--base", str(tmp_path / "old.yaml")]
    assert main(["requirements", *files]) == 1
    out = capsys.readouterr().out
    assert "1 of 2 requirements is not met.\n" in out and "\nNOT MET pods" in out
    assert "remedy   insert before rule 1 (line 4) a rule with level: Metadata" in out
    assert main(["requirements", *files, "--fail-on", "never"]) == 0
    assert main(["requirements", *files, *same]) == 0
    assert "(1 known)" in capsys.readouterr().out
    assert main(["requirements", *files, *same, "--fail-on", "unmet"]) == 1
    assert main(["requirements", *files, *old]) == 1
    out = capsys.readouterr().out
    assert "NOT MET (new) pods" in out and "- not recorded (before, too)" in out


def test_an_entry_is_written_filled_in_and_lets_the_policy_pass(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["requirements", *files, "--acknowledge"]) == 1
    file = tmp_path / "audit-changes.yaml"
    assert "1 entry added to" in capsys.readouterr().err
    assert main(["requirements", *files]) == 4  # nothing passes by an entry that no one filled in
    assert f"{file}:5:12: because is still to be filled in: say why" in capsys.readouterr().err
    file.write_text(file.read_text().replace("TODO", "reviewed"))
    assert main(["requirements", *files]) == 0
    assert "known    reviewed" in capsys.readouterr().out
    assert main(["requirements", *files, "--acknowledge"]) == 0
    assert file.read_text().count("requirement:") == 1
    assert main(["requirements", *files, "--acknowledged", str(tmp_path / "none.yaml")]) == 4


def test_json_and_markdown_say_the_same(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "audit-changes.yaml").write_text(ENTRIES)
    assert main(["requirements", *files, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    pods, _ = report["files"][0]["requirements"]
    assert report["summary"] == {"met": 1, "fixed": 0, "known": 1, "new": 0, "unmet": 0}
    assert (pods["state"], pods["acknowledged"]["approvedBy"], pods["acknowledged"]["line"]) == ("known", "sre", 4)
    assert main(["requirements", *files, "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "**1 of 2 requirements is not met (1 known).**" in out and "until the log is cheaper" in out
    assert len(out.splitlines()) < 60


def test_entries_are_written_for_one_version(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["requirements", *files, "--acknowledge", "--kubernetes", "1.36,1.37"]) == 4
    assert "--acknowledge writes the requirements on one version" in capsys.readouterr().err


NEW = [{"requirement": "ours/secrets", "because": "b", "approvedBy": "a"}]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "apiVersion: auditproof/v1\nkind: AcknowledgedChanges\n",
        ENTRIES,
        ENTRIES.replace("\n- ", "\n  - ")
        .replace("\n  b", "\n    b")
        .replace("\n  a", "\n    a")
        .replace("\n  u", "\n    u"),
        ENTRIES.rstrip(),
        ENTRIES.replace("\n", "\r\n"),
        ENTRIES + "# about changes\nchanges: []\n",
        "apiVersion: auditproof/v1\nkind: AcknowledgedChanges\nrequirements: []  # none\nchanges: []\n",
        ENTRIES + "...\n",
    ],
)
def test_an_added_entry_changes_nothing_else_in_the_file(text: str) -> None:
    """However the file is indented, ended or ordered; its comments stay."""
    after = with_entries(text, "requirements", NEW)

    before = yaml.safe_load(text) or {"apiVersion": "auditproof/v1", "kind": "AcknowledgedChanges"}
    assert yaml.safe_load(after) == before | {"requirements": [*before.get("requirements", []), *NEW]}
    assert all(line in after for line in text.split("\n") if "[]  #" not in line)
    assert ("\r\n" in after) is ("\r\n" in text) and after.count("\r\n") in (0, after.count("\n"))


def test_a_list_in_braces_is_left_to_its_author() -> None:
    with pytest.raises(AuditproofError, match=r'cannot be added to "requirements" in line 1: write it as a list'):
        with_entries("requirements: [{requirement: a}]\n", "requirements", NEW)
