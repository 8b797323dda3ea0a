"""``auditproof record`` writes what a real server records, and nothing of what is not proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.cli.exit_codes import ExitCode
from auditproof.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:kube-proxy"]}
- {level: Metadata}
"""
CASES = """\
apiVersion: auditproof/v1
kind: CaseFile
title: To record
policy: policy.yaml
cases:
- {id: read, title: A, as: alice, do: {get: secrets/db, in: default}}  # the first
- id: proxy
  title: A
  as: kube-proxy
  do: {list: endpoints}
- {id: wrong, title: A, as: alice, do: {path: /version}, expect: Request}
- id: broken
  title: A
  as: alice
  do: {path: /version}
  given: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: nowhere}}]
- {id: elsewhere, title: A, as: alice, do: {path: /version}, needs: [runsPods]}
"""
READ = "{level: Metadata, stages: [ResponseComplete], status: 404}"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "some.audit.yaml").write_text(CASES)
    return tmp_path / "some.audit.yaml"


def test_what_was_observed_becomes_the_expectation(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["record", file.name, "--write"])

    expected = CASES.replace("in: default}}", f"in: default}}, expect: {READ}}}").replace(
        "{list: endpoints}\n", "{list: endpoints}\n  expect: {level: None, status: 200}\n"
    )
    assert file.read_text() == expected, "an expectation that was there stays, and what is not proven gets none"
    assert code == ExitCode.FOUND
    told = capsys.readouterr()
    assert told.out == "some.audit.yaml: 2 of 4 cases recorded and written\n"
    assert (
        "some.audit.yaml:12: broken is not recorded: UNPROVEN: some.audit.yaml:16: the ConfigMap nowhere/a" in told.err
    )
    assert "some.audit.yaml:17: elsewhere is not recorded: not supported: this cluster lacks runsPods" in told.err


def test_without_write_the_change_is_printed_and_the_file_stays(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["record", file.name, "--case", "wrong"])

    assert file.read_text() == CASES
    assert code == ExitCode.FINE
    told = capsys.readouterr()
    assert "-- {id: wrong, title: A, as: alice, do: {path: /version}, expect: Request}\n" in told.out
    assert "expect: {level: Metadata, stages: [ResponseComplete], status: 200}}\n" in told.out
    assert "some.audit.yaml: 1 of 1 cases recorded: --write writes this" in told.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--case", "red"], "some.audit.yaml has no case 'red'; did you mean \"read\"?"),
        (["--policy", "policy.yaml"], "some.audit.yaml names its own policy"),
    ],
)
def test_what_cannot_be_recorded_starts_no_server(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["record", file.name, *arguments]) == ExitCode.UNUSABLE
    assert says in capsys.readouterr().err


def test_a_file_without_a_policy_needs_one(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(CASES.replace("policy: policy.yaml\n", ""))

    assert main(["record", file.name]) == ExitCode.UNUSABLE
    assert "some.audit.yaml names no policy: give --policy POLICY" in capsys.readouterr().err
