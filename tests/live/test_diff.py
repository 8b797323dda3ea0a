"""diff --live: every change between two policies shown by two real API servers."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
OLD = HEAD + (
    "- {level: None, userGroups: ['system:nodes'], verbs: [get], resources: [{resources: [nodes, nodes/status]}]}\n"
    "- {level: Metadata, resources: [{resources: [secrets, configmaps]}]}\n"
    "- {level: None, nonResourceURLs: ['/healthz*']}\n"
    "- level: RequestResponse\n"
)
NEW = HEAD + (
    "- {level: None, users: ['system:serviceaccount:shop:robot'], verbs: [watch]}\n"
    "- {level: Request, resources: [{resources: [secrets], resourceNames: [db]}]}\n"
    "- {level: Metadata, resources: [{resources: [secrets, configmaps]}], omitStages: [RequestReceived]}\n"
    "- {level: Metadata, userGroups: ['system:unauthenticated']}\n"
    "- {level: RequestResponse, omitStages: [ResponseStarted]}\n"
)


def test_every_change_is_shown_by_two_servers(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    command = [sys.executable, "-m", "auditproof", "diff", "old.yaml", "new.yaml", "--live", "--format", "json"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 1, done.stderr
    changes = json.loads(done.stdout)["changes"]
    shown = [change for change in changes if change["live"].startswith("PROVEN: ")]
    assert len(shown) >= 12
    for change in changes:
        assert (
            change in shown or "no request of this class differs in level or stages" in change["witness"]["reason"]
        ), change
        for side in ("old", "new"):
            recorded = f"recorded at {change[side]['level']} ("
            assert (
                change not in shown
                or f"{side} {recorded}" in change["live"]
                or f"{side} not recorded" in change["live"]
            )
    levels = {(change["old"]["level"], change["new"]["level"]) for change in shown}
    assert {("RequestResponse", "None"), ("Metadata", "Request"), ("None", "RequestResponse")} <= levels
    assert "not recorded" in next(c["live"] for c in shown if c["kind"] == "stops being recorded")
