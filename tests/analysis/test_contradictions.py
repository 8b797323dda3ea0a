"""Requirements that contradict each other are found with the requests for which they do, and no others are."""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from auditproof.analysis.requirements import Contradiction, contradictions, load_requirements
from auditproof.audit.event import Level
from auditproof.cli.main import main
from auditproof.kube.discovery import load_served

if TYPE_CHECKING:
    from pathlib import Path

SERVED = load_served("1.37")
HEAD = "apiVersion: auditproof/v1\nkind: Requirements\ntitle: test\nrequirements:\n"


def among(folder: Path, *texts: str) -> tuple[Contradiction, ...]:
    """The contradictions among requirements, each given by its keys ``for``, ``except``, ``level`` and ``stages``."""
    file = folder / "own.yaml"
    entries = [f"- {{id: r{n}, title: t, because: b, source: s, {text}}}\n" for n, text in enumerate(texts)]
    file.write_text(HEAD + "".join(entries))
    return contradictions(load_requirements(str(file)).requirements, SERVED)


SECRETS, ALL = "for: [{resources: [secrets]}]", 'for: [{resources: ["*"]}]'


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"{SECRETS}, level: {{atMost: Metadata}}", f"{ALL}, level: {{atLeast: Metadata}}"),
        (f"{SECRETS}, level: {{atMost: Metadata}}", "for: [{resources: [pods]}], level: {atLeast: Request}"),
        (f"{SECRETS}, level: {{atMost: Metadata}}",
         f"{ALL}, except: [{{resources: [secrets]}}], level: {{exactly: Request}}"),
        (f"{SECRETS}, level: {{atMost: Metadata}}",
         "for: [{resources: [secrets], failedLogins: true}], level: {atLeast: Request}"),
        (f"{SECRETS}, level: {{oneOf: [None, Request]}}", f"{ALL}, level: {{oneOf: [Metadata, Request]}}"),
        (f"{ALL}, level: {{atMost: Metadata}}, stages: {{exactly: [ResponseComplete]}}",
         f"{ALL}, level: {{atMost: Metadata}}, stages: {{exactly: [RequestReceived]}}"),
    ],
)  # fmt: skip
def test_requirements_that_can_be_met_together_are_no_contradiction(tmp_path: Path, first: str, second: str) -> None:
    """Because their levels overlap, or no request is selected by both; what is not recorded has no stages."""
    assert among(tmp_path, first, second) == ()


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (f"{SECRETS}, level: {{atMost: Metadata}}", f"{ALL}, level: {{atLeast: Request}}",
         "at most Metadata against at least Request"),
        (f"{SECRETS}, level: {{exactly: Request}}", f"{ALL}, level: {{exactly: RequestResponse}}",
         "exactly Request against exactly RequestResponse"),
        (f"{SECRETS}, level: {{atLeast: Metadata}}, stages: {{exactly: [ResponseComplete]}}",
         f"{ALL}, level: {{atLeast: Metadata}}, stages: {{atLeast: [RequestReceived]}}",
         ", stages: exactly ResponseComplete against at least Metadata, stages: at least RequestReceived"),
    ],
)  # fmt: skip
def test_a_contradiction_names_the_requests_that_both_select(
    tmp_path: Path, first: str, second: str, text: str
) -> None:
    (found,) = among(tmp_path, first, second)

    assert text in found.text
    assert set(found.row.product.resources) == {"secrets"}
    assert all(one.selects(found.witness.attributes) for one in found.requirements)


def test_three_may_contradict_each_other_where_no_two_do(tmp_path: Path) -> None:
    """And a pair that does is not reported once more with a third."""
    pairs = [
        f"{ALL}, level: {{oneOf: [{one}, {two}]}}" for one, two in combinations(["Metadata", "Request", "None"], 2)
    ]
    (found,) = among(tmp_path, *pairs)
    both = among(tmp_path, f"{ALL}, level: {{exactly: None}}", f"{ALL}, level: {{exactly: Request}}", pairs[0])

    assert len(found.requirements) == 3
    assert {tuple(one.id for one in some.requirements) for some in both} == {("r0", "r1"), ("r0", "r2")}


def test_the_shipped_files_that_say_so_contradict_each_other() -> None:
    """STIG asks for every body, CIS and secrets-hygiene for none of a secret's."""
    for name in ("cis", "secrets-hygiene"):
        both = [*load_requirements(name).requirements, *load_requirements("stig").requirements]
        found = contradictions(both, SERVED)
        assert {"v-242403"} == {found[0].requirements[1].id}
        for one in found:
            assert not frozenset(Level).intersection(*(each.bound.levels for each in one.requirements))


def test_the_command_reports_them_last(capsys: pytest.CaptureFixture[str]) -> None:
    policy = "fixtures/policies/baseline.yaml"
    assert main(["requirements", policy, "--requirements", "cis,stig"]) == 1
    text = capsys.readouterr().out
    assert main(["requirements", policy, "--requirements", "cis,stig", "--format", "json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert main(["requirements", policy, "--requirements", "cis"]) in (0, 1)

    last = text.rpartition("\n\n")[2]
    assert last.startswith("CONTRADICTION cis-3-2-2-secrets-metadata-only, v-242403: no policy can meet them together")
    assert [one["id"] for one in record["contradictions"][0]["requirements"]] == [
        "cis-3-2-2-secrets-metadata-only",
        "v-242403",
    ]
    assert "CONTRADICTION" not in capsys.readouterr().out
