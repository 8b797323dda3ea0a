"""A fixed policy on a real server: each change that the patch makes is seen on it, and none on the server before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
# not of interest
- level: None
  resources: [{resources: [secrets]}]
- level: Request
"""


def test_each_change_of_a_fix_is_proven_on_two_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(POLICY)

    assert main(["fix", str(path), "--requirements", "cis", "--prove", "--write"]) == 0

    out = capsys.readouterr().out
    shown = [line for line in out.splitlines() if line.startswith("#   live ")]
    assert shown and all("PROVEN: old " in line for line in shown)
    assert "old not recorded; new recorded at Metadata (ResponseComplete)" in out
    assert "# not of interest" in path.read_text()
    assert main(["requirements", str(path), "--requirements", "cis"]) == 0
