"""The engine from plain Python: a session proves cases without pytest, and leaves no process, however it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
BEGINNING = """
import json, os, signal, sys, threading

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the tests with it ignored
from dataclasses import replace
from pathlib import Path

from auditproof.cases.case import Case
from auditproof.kube.action import act, to_request
from auditproof.kube.identity import Identity
from auditproof.proof import RunOptions, Session
from auditproof.wait import wait_until

ALICE = Identity.x509("alice")
options = RunOptions.of(Path(sys.argv[1]))


def case(name, verb="get", what="namespaces/default"):
    return Case(name, ALICE, to_request(act(verb, what)))


def tell(**facts):
    print(json.dumps(facts), flush=True)


def verdicts(proofs):
    return {proof.case.id: [str(proof.verdict.outcome), *proof.verdict.reasons] for proof in proofs}

"""
PROVES = """
with Session(options) as session:
    tell(run=str(session.run_directory.path), nothing=verdicts(session.prove([])))
    tell(first=verdicts(session.prove([case("read"), case("list", "list", "namespaces")])), sent=session.performed())
    sent = session.performed()

    def kill():
        wait_until(lambda: session.performed() > sent or None, what="the first request", timeout_s=30, pause_s=0.01)
        pid, _ = session.run_directory.entry(session.provider.cluster(options.policy_file).name)
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    tell(second=verdicts(session.prove([case("read"), case("watch", "watch", "namespaces")])))
    killer.join()
tell(pytest="pytest" in sys.modules)
"""
SABOTAGE = """
with Session(replace(options, sabotage=True)) as session:
    tell(run=str(session.run_directory.path), first=verdicts(session.prove([case("read")])))
"""
FAILS = """
with Session(options) as session:
    tell(run=str(session.run_directory.path), first=verdicts(session.prove([case("read")])))
    {how}
"""


@pytest.fixture
def perform(tmp_path: Path) -> Callable[[str], tuple[dict[str, Any], subprocess.CompletedProcess[str]]]:
    """Runs a program that uses a session; returns what it tells, and how it ended."""

    def perform(program: str) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
        policy = tmp_path / "policy.yaml"
        policy.write_text(POLICY)
        command = [sys.executable, "-c", BEGINNING + program, str(policy)]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180)
        told: dict[str, Any] = {}
        for line in ended.stdout.splitlines():
            told |= json.loads(line)
        return told, ended

    return perform


def left_of(run: str) -> list[str]:
    """What is left of a run: its folder, and every process whose command line names it."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    processes = [line for line in listed.splitlines() if run in line]
    return [*processes, *([run] if Path(run).exists() else [])]


def test_a_program_proves_cases_without_pytest(
    perform: Callable[[str], tuple[dict[str, Any], subprocess.CompletedProcess[str]]],
) -> None:
    """PROVEN while the server runs, UNPROVEN for what it was killed under, and nothing is left behind."""
    told, ended = perform(PROVES)

    assert ended.returncode == 0, ended.stderr
    assert told["nothing"] == {}
    assert told["first"] == {"read": ["PROVEN"], "list": ["PROVEN"]}
    assert told["sent"] == 2
    assert {outcome for outcome, *_ in told["second"].values()} == {"UNPROVEN"}
    assert told["second"].keys() == {"read", "watch"}
    assert "exited" in " ".join(reason for _, *reasons in told["second"].values() for reason in reasons)
    assert told["pytest"] is False
    assert left_of(told["run"]) == []


def test_a_case_is_violated_on_the_twin_that_the_session_makes(
    perform: Callable[[str], tuple[dict[str, Any], subprocess.CompletedProcess[str]]],
) -> None:
    told, ended = perform(SABOTAGE)

    assert ended.returncode == 0, ended.stderr
    assert [outcome for outcome, *_ in told["first"].values()] == ["VIOLATED"]
    assert left_of(told["run"]) == []


@pytest.mark.parametrize(
    ("how", "last"),
    [('raise RuntimeError("a fault of the program")', "RuntimeError"), ("os.kill(os.getpid(), signal.SIGINT)", "Keyb")],
    ids=["exception", "interrupt"],
)
def test_no_process_is_left_where_the_program_fails(
    perform: Callable[[str], tuple[dict[str, Any], subprocess.CompletedProcess[str]]], how: str, last: str
) -> None:
    told, ended = perform(FAILS.format(how=how))

    assert ended.returncode != 0
    assert ended.stderr.splitlines()[-1].startswith(last)
    assert told["first"] == {"read": ["PROVEN"]}
    assert left_of(told["run"]) == []
