"""``auditproof explain-code`` prints the section of docs/lint.md, and what lint writes leads there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditproof import content
from auditproof.analysis.lint import CATALOGUE
from auditproof.analysis.lint.explanations import explanations
from auditproof.cli.main import main
from tests.support.documented import HEAD, SECTIONS, Documented

if TYPE_CHECKING:
    from pathlib import Path

SINGLE_RULE = f"{HEAD}rules:\n- level: Metadata\n"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.code)
def test_a_section_is_printed_with_both_policies(section: Documented, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain-code", section.code]) == 0

    text = capsys.readouterr().out
    assert text.startswith(f"{section.code} {section.name} ({section.severity})\n")
    assert "```" not in text
    for title, policy in (("Example", section.example), ("Instead", section.instead)):
        indented = "".join(f"    {line}\n" for line in policy.removeprefix(HEAD).splitlines())
        assert f"{title}:\n\n{indented}" in text


@pytest.mark.parametrize("code", CATALOGUE)
def test_markdown_is_the_section_as_the_document_has_it(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = (content.root() / "docs" / "lint.md").read_text(encoding="utf-8")

    assert main(["explain-code", code, "--format", "markdown"]) == 0

    assert capsys.readouterr().out in document + "\n"


def test_a_code_may_be_given_by_its_name_and_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain-code", "ap402", "Half-Exec"]) == 0

    assert capsys.readouterr().out.count("AP402 half-exec (warning)\n") == 2


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    for form, head in (("text", 0), ("markdown", 2)):
        assert main(["explain-code", "--format", form]) == 0

        lines = capsys.readouterr().out.splitlines()[head:]
        assert [line.strip("| ")[:5] for line in lines] == list(CATALOGUE)
        assert all(code.title in line for code, line in zip(CATALOGUE.values(), lines, strict=True))


@pytest.mark.parametrize(("given", "meant"), [("AP40", "AP404"), ("half-exek", "half-exec"), ("", None)])
def test_an_unknown_code_is_an_error_that_says_what_was_meant(
    given: str, meant: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain-code", given]) == 4

    told = capsys.readouterr()
    assert told.out == ""
    assert f"there is no code {given!r}" in told.err
    assert (f"; did you mean {meant}?" in told.err) if meant else ("did you mean" not in told.err)
    assert "`auditproof explain-code` lists all of them" in told.err


def lint(tmp_path: Path, text: str, *options: str) -> int:
    policy = tmp_path / "policy.yaml"
    policy.write_text(text)
    return main(["lint", str(policy), *options])


def test_lint_names_the_command_once_with_the_codes_that_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lint(tmp_path, SINGLE_RULE)
    last = capsys.readouterr().out.splitlines()[-1]

    assert last == "explained by: auditproof explain-code AP504"
    assert main(last.partition("auditproof ")[2].split()) == 0


def test_lint_of_a_clean_policy_names_no_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lint(tmp_path, SINGLE_RULE.replace("rules:", "omitStages: [RequestReceived]\nrules:"))

    assert "explain-code" not in capsys.readouterr().out


def test_each_rule_of_sarif_has_its_explanation_and_where_it_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lint(tmp_path, SINGLE_RULE, "--format", "sarif")

    (run,) = json.loads(capsys.readouterr().out)["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        explained = explanations()[rule["id"]]
        assert rule["help"] == {"text": explained.text, "markdown": explained.body}
        assert rule["helpUri"] == explained.address
        assert rule["helpUri"].startswith(f"{content.SITE}/lint.html#{rule['id'].lower()}-")
