"""The policy that is judged is the one that the server runs, also where the file is replaced meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.policy.load import load_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.errors import ClusterError
from auditproof.kube.action import act, to_request
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from tests.support.views import silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory

JUDGED = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
REPLACED = JUDGED.replace("rules:\n", "rules:\n- {level: None, users: [alice]}\n")
CASE = """\
apiVersion: auditproof/v1
kind: CaseFile
title: Alice
identities: {alice: {user: alice}}
cases:
  - {id: read, title: Alice is recorded, as: alice, do: {get: namespaces/default}, expect: Metadata}
"""
PLUGIN = """
import os
from pathlib import Path

import pytest


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    Path(os.environ["POLICY"]).write_text(os.environ["REPLACED"])
"""


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_a_policy_that_is_replaced_before_the_server_starts_is_not_run(tmp_path: Path, workers: int) -> None:
    policy, report = tmp_path / "policy.yaml", tmp_path / "report"
    policy.write_text(JUDGED)
    (tmp_path / "one.audit.yaml").write_text(CASE)
    (tmp_path / "replacer.py").write_text(PLUGIN)
    command = [sys.executable, "-m", "pytest", "-p", "replacer", "one.audit.yaml", "--audit-policy", str(policy)]
    command += ["--audit-report", str(report), "-p", "no:cacheprovider", *(["-n", "1"] if workers else [])]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "POLICY": str(policy), "REPLACED": REPLACED}

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert policy.read_text() == REPLACED, "it was replaced in the middle"
    assert done.returncode == 0, done.stdout
    told = json.loads((report / "results.json").read_text())["policy"]["sha256"]
    assert told == hashlib.sha256(JUDGED.encode()).hexdigest()


def test_nothing_is_proven_where_the_servers_own_file_is_changed(
    embedded: EmbeddedProvider, run_directory: RunDirectory, write_policy: Callable[[str], Path]
) -> None:
    path = write_policy(JUDGED + "# changed below the server\n")
    policy = load_policy(path)
    cluster = embedded.cluster(path)
    prover = Prover(silent(cluster), policy, running=policy, folder=run_directory.private_folder())
    step = Case("step", Identity.x509("alice"), to_request(act("get", "namespaces/default")), Expectation())
    steps = prover.begin([step])
    sent = prover.perform(steps)
    cluster.policy.write_text(REPLACED)

    with pytest.raises(ClusterError, match=r"was changed by another process: its SHA-256 is") as error:
        prover.finish(steps, sent)
    with pytest.raises(ClusterError, match="was changed by another process"):
        prover.begin([step])

    prover.close()
    assert policy.sha256 in str(error.value)
