"""What a proof costs next to the bare request: against one API server, and in whole runs of pytest with a report."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from auditproof.audit.policy.load import load_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.kube.action import act, to_request
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from tools.bench.measure import cpu_of, cpu_of_child, cpu_of_process, environment, smallest
from tools.bench.parts import Ratio
from tools.bench.startup import POLICY, PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.clusters.cluster import Cluster
    from auditproof.kube.action import Request

KUBERNETES = "1.37"
ACTIONS, FEW = 1000, 200
RUNS = 3
BARE = f"the bare loop of {ACTIONS:,} requests"
SERVER = "kube-apiserver"
ALICE = Identity.x509("alice", "developers")
READS = (
    ("get", "namespaces/default", ""),
    ("list", "configmaps", "default"),
    ("get", "clusterroles/view", ""),
    ("list", "pods", "default"),
    ("get", "namespaces/kube-system", ""),
)
# Runs pytest in this process, and prints its CPU time without children, and how much memory it took at most.
MEASURED = """
import json, sys, time, pytest
code = pytest.main(sys.argv[1:])
print()
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([time.process_time(), int(peak.split()[1])]))
sys.exit(code)
"""


def measure() -> dict[str, Ratio]:
    """The ratios of a proof to the bare loop."""
    directory = RunDirectory.create()
    try:
        embedded = EmbeddedProvider(
            load_profile("embedded"), directory, kubernetes=KUBERNETES, assets=None, report=print
        )
        embedded.prepare()
        cluster = embedded.cluster(POLICY)
        start = cpu_of_child(SERVER)
        policy, folder = load_policy(POLICY), directory.private_folder()
        prover = Prover(ServerView(cluster, embedded), policy, running=policy, folder=folder)
        least, served = _loops(cluster, prover)
        prover.close()
    finally:
        directory.close()
    with tempfile.TemporaryDirectory() as empty:
        python = min(cpu_of_process([sys.executable, "-c", "pass"], empty) for _ in range(RUNS))
    bare = least[BARE]
    return {
        f"{SERVER} until it is ready": Ratio(start / python, PYTHON),
        f"{SERVER} for {ACTIONS:,} requests": Ratio(served / bare, BARE),
        "the bare loop with 2 connections": Ratio(least["2"] / bare, BARE),
        "the bare loop with 4 connections": Ratio(least["4"] / bare, BARE),
        f"performing, fencing and judging {ACTIONS:,} requests": Ratio(least["proven"] / bare, BARE),
        **_runs(bare, python),
    }


def _loops(cluster: Cluster, prover: Prover) -> tuple[dict[str, float], float]:
    """The smallest CPU time of each loop in this process, and of the server for one bare loop."""
    proven_loop(prover)  # rights, connections and caches are warm from here on
    bare = partial(bare_loop, cluster, prover)
    works = {
        BARE: partial(bare, 1),
        "2": partial(bare, 2),
        "4": partial(bare, 4),
        "proven": partial(proven_loop, prover),
    }
    served = min(_served(partial(bare, 1)) for _ in range(RUNS))
    return smallest({name: partial(cpu_of, work) for name, work in works.items()}), served


def _served(work: partial[None]) -> float:
    before = cpu_of_child(SERVER)
    work()
    return cpu_of_child(SERVER) - before


def _runs(bare: float, python: float) -> dict[str, Ratio]:
    """Whole runs, with pytest and a report."""
    with tempfile.TemporaryDirectory() as bytecode:
        whole_run(bytecode, FEW)  # compiles the modules
        few, many = (min(whole_run(bytecode, count) for _ in range(RUNS)) for count in (FEW, ACTIONS))
        memory = whole_run(bytecode, ACTIONS)[1] / _memory_of_python()
    more = (many[0] - few[0]) / (ACTIONS - FEW) * ACTIONS
    return {
        f"{ACTIONS:,} cases in pytest, with a report, without the start": Ratio(more / bare, BARE),
        f"a run of {ACTIONS:,} cases with its start": Ratio(many[0] / python, PYTHON),
        "the memory of that run": Ratio(memory, f"the memory of {PYTHON}"),
    }


def _memory_of_python() -> int:
    text = "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[1])


def requests() -> list[Request]:
    """The requests of the benchmark: reads, so that every round finds the same objects."""
    kinds = [to_request(act(verb, target, namespace)) for verb, target, namespace in READS]
    return [kinds[n % len(kinds)] for n in range(ACTIONS)]


def bare_loop(cluster: Cluster, prover: Prover, connections: int) -> None:
    """Send the requests with urllib3 and read the responses, over so many connections at once, and nothing else."""
    credential = prover.credential(ALICE)
    wanted = requests()

    def send(some: list[Request]) -> None:
        files = {"ca_certs": str(cluster.ca), "cert_file": str(credential.cert), "key_file": str(credential.key)}
        with urllib3.connection_from_url(cluster.url, maxsize=1, **files) as pool:
            for request in some:
                pool.request(request.method, request.uri, headers=_HEADERS, retries=False, redirect=False)

    with ThreadPoolExecutor(connections) as threads:
        for done in [threads.submit(send, wanted[n::connections]) for n in range(connections)]:
            done.result()


_HEADERS = {"Accept": "application/json", "User-Agent": "bench"}


def proven_loop(prover: Prover) -> None:
    """Perform, fence and judge the same requests."""
    steps = [Case(f"bench-{n}", ALICE, request, Expectation()) for n, request in enumerate(requests())]
    if any(proof.verdict.outcome is not Outcome.PROVEN for proof in prover.prove(steps)):
        raise SystemExit("not every action of the benchmark is proven")


def whole_run(bytecode: str, cases: int) -> tuple[float, int]:
    """The CPU time of pytest's own process in a whole run, and its peak memory in KiB."""
    with tempfile.TemporaryDirectory() as folder:
        return whole_run_in(folder, bytecode, cases)


def whole_run_in(folder: str, bytecode: str, cases: int) -> tuple[float, int]:
    """The same of a run whose report stays in ``folder``."""
    suite = Path(folder) / "bench.audit.yaml"
    suite.write_text(json.dumps(case_file(cases)))
    command = [sys.executable, "-c", MEASURED, str(suite), f"--rootdir={folder}", "-q"]
    command += ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    command += [f"--audit-policy={POLICY}", f"--audit-report={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment(bytecode))
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    spent, peak = json.loads(done.stdout.splitlines()[-1])
    return float(spent), int(peak)


def case_file(count: int) -> dict[str, Any]:
    """A case file with ``count`` requests."""
    identities = {"alice": {"user": "alice", "groups": ["developers"]}}
    head = {"apiVersion": "auditproof/v1", "kind": "CaseFile", "title": "Benchmark"}
    return {**head, "identities": identities, "cases": [*_cases(count)]}


def _cases(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        verb, target, namespace = READS[number % len(READS)]
        within = {"in": namespace} if namespace else {}
        yield {"id": f"case-{number}", "title": f"Action {number}", "as": "alice", "do": {verb: target, **within}}
