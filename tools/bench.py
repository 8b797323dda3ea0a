"""What a proof costs beside the bare request: ``make bench``.

Everything is a ratio within one run, because machines differ: a bare loop sends the same requests over the same kind
of connection, without Audit-ID, fence, log or verdict. The two take turns; the medians are compared.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from auditproof import content
from auditproof.analysis.lint import lint
from auditproof.analysis.space import Space
from auditproof.audit.policy.load import Policy, load_policy, parse_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.kube.action import act, to_request
from auditproof.kube.discovery import Served, load_served
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.clusters.cluster import Cluster
    from auditproof.kube.action import Request

ACTIONS = 1000
ROUNDS = 5
STARTS = 7
RULES = (25, 50, 100, 200)
POLICY = content.root() / "fixtures" / "policies" / "baseline.yaml"
ALICE = Identity.x509("alice", "developers")
READS = (
    ("get", "namespaces/default", ""),
    ("list", "configmaps", "default"),
    ("get", "clusterroles/view", ""),
    ("list", "pods", "default"),
    ("get", "namespaces/kube-system", ""),
)
# Runs pytest in this process, and tells how much memory the process took at most (in KiB on Linux).
MEASURED = """
import resource, sys, pytest
code = pytest.main(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def requests() -> list[Request]:
    """The requests of the benchmark: reads, so that every round finds the same objects."""
    kinds = [to_request(act(verb, target, namespace)) for verb, target, namespace in READS]
    return [kinds[n % len(kinds)] for n in range(ACTIONS)]


def bare_loop(cluster: Cluster, prover: Prover) -> float:
    """Seconds for sending the requests with urllib3 and reading the answers, and nothing else."""
    credential = prover.credential(ALICE)
    pool = urllib3.connection_from_url(
        cluster.url, ca_certs=str(cluster.ca), cert_file=str(credential.cert), key_file=str(credential.key), maxsize=1
    )
    headers = {"Accept": "application/json", "User-Agent": "bench"}
    wanted = requests()
    begun = time.perf_counter()
    for request in wanted:
        pool.request(request.method, request.uri, headers=headers, retries=False, redirect=False)
    spent = time.perf_counter() - begun
    pool.close()
    return spent


def proven_loop(prover: Prover) -> float:
    """Seconds for performing, fencing and judging the same requests."""
    steps = [Case(f"bench-{n}", ALICE, request, Expectation()) for n, request in enumerate(requests())]
    begun = time.perf_counter()
    proofs = prover.prove(steps)
    spent = time.perf_counter() - begun
    assert all(proof.verdict.outcome is Outcome.PROVEN for proof in proofs)
    return spent


def whole_run(bytecode: str) -> tuple[float, float, int]:
    """Seconds of a whole run with pytest and the report, seconds that its cluster took to start, and peak KiB.

    Python keeps compiled modules in the folder ``bytecode``, as it does wherever it is not told otherwise.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "bench.audit.yaml"
        suite.write_text(json.dumps(case_file()))
        command = [
            sys.executable,
            "-c",
            MEASURED,
            str(suite),
            f"--rootdir={folder}",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:hypothesispytest",
        ]
        command += [f"--audit-policy={POLICY}", f"--audit-report={folder}"]
        begun = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
        spent = time.perf_counter() - begun
        if done.returncode:
            raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
        results = json.loads((Path(folder) / "results.json").read_text())
        peak = int(done.stdout.rpartition("peak ")[2])
        return spent, float(results["cluster"]["startSeconds"]), peak


def case_file() -> dict[str, Any]:
    """A case file with the same requests."""
    cases = [
        {"id": f"case-{n}", "title": f"Action {n}", "as": "alice", "do": {verb: target, **within}}
        for n in range(ACTIONS)
        for verb, target, namespace in [READS[n % len(READS)]]
        for within in [{"in": namespace} if namespace else {}]
    ]
    identities = {"alice": {"user": "alice", "groups": ["developers"]}}
    head = {"apiVersion": "auditproof/v1", "kind": "CaseFile", "title": "Benchmark"}
    return {**head, "identities": identities, "cases": cases}


def long_policy(rules: int) -> Policy:
    """A policy with that many rules, each unlike the others in users and groups, verbs, names and namespaces."""
    kinds = (
        ("", "pods"),
        ("apps", "deployments"),
        ("", "pods/log"),
        ("rbac.authorization.k8s.io", "*"),
        ("", "events"),
    )
    verbs = ("get", "list", "watch", "create", "update", "patch", "delete")
    made: list[dict[str, Any]] = []
    for n in range(rules):
        group, resource = kinds[n % len(kinds)]
        entry: dict[str, Any] = {"group": group, "resources": [resource]}
        entry |= {"resourceNames": [f"object-{n}"]} if n % 6 == 0 else {}
        rule: dict[str, Any] = {"level": "Metadata", "verbs": [verbs[n % 7], verbs[(n + 2) % 7]], "resources": [entry]}
        rule |= {"users": [f"system:serviceaccount:team-{n % 9}:robot-{n}", f"user-{n}"]} if n % 2 == 0 else {}
        rule |= {"userGroups": [f"team-{n}", "ops"]} if n % 4 == 1 else {}
        rule |= {"namespaces": [f"team-{n % 9}"]} if n % 5 == 0 else {}
        made.append(rule)
    document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [*made, {"level": "Metadata"}]}
    return parse_policy(json.dumps(document).encode(), "long.json")


def seconds(work: Callable[[], object]) -> float:
    """The median of three runs."""
    spent = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)


def _whole_space(policy: Policy, served: Served) -> int:
    return sum(1 for _ in Space.of(policy.rules, served).outcomes())


def space_part() -> None:
    """What it costs to look at every request, and how that grows with the rules."""
    served = load_served("1.37")
    sizes = {size: long_policy(size) for size in RULES}
    spaces = {size: seconds(partial(_whole_space, policy, served)) for size, policy in sizes.items()}
    lints = {size: seconds(partial(lint, policy, served)) for size, policy in sizes.items()}
    least = min(RULES)
    for size in RULES:
        grown = f"{spaces[size] / spaces[least]:6.1f} and {lints[size] / lints[least]:6.1f} times that of {least}"
        took = f"space {spaces[size] * 1000:6.0f} ms, lint {lints[size] * 1000:6.0f} ms"
        print(f"{size:4} rules  {took}  {grown} ({size / least:.0f} times the rules)")


def startup_part() -> None:
    """CPU time to start, as ratios to ``python -c pass``: the least of several processes, which take turns."""
    python, plugin = (
        [sys.executable],
        [
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:hypothesispytest",
            "-p",
            "no:anyio",
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "python -c pass": [*python, "-c", "pass"],
            "import auditproof": [*python, "-c", "import auditproof"],
            "auditproof --version": [*python, "-m", "auditproof", "--version"],
            "auditproof --help": [*python, "-m", "auditproof", "--help"],
            "auditproof lint --help": [*python, "-m", "auditproof", "lint", "--help"],
            "auditproof lint POLICY": [*python, "-m", "auditproof", "lint", str(POLICY)],
            "auditproof explain": [*python, "-m", "auditproof", "explain", str(POLICY), "--verb=get", "--path=/livez"],
            "pytest without plugin": [*python, *plugin, "-p", "no:auditproof.plugin"],
            "pytest with plugin": [*python, *plugin],
        }
        rounds = [{name: cpu_seconds(command, folder) for name, command in commands.items()} for _ in range(STARTS)]
    least = {name: min(spent[name] for spent in rounds) for name in commands}
    for name, spent in least.items():
        print(f"{name:23} {spent * 1000:6.0f} ms  {spent / least['python -c pass']:6.1f} times python -c pass")


def cpu_seconds(command: list[str], folder: str) -> float:
    """The CPU time, user and system, of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=False, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print; ``space`` or ``startup`` as an argument measures that part alone."""
    if sys.argv[1:] == ["startup"]:
        startup_part()
        return
    space_part()
    if sys.argv[1:] == ["space"]:
        return
    directory = RunDirectory.create()
    try:
        embedded = EmbeddedProvider(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
        embedded.prepare()
        begun = time.perf_counter()
        cluster = embedded.cluster(POLICY)
        print(f"cluster start           {time.perf_counter() - begun:6.2f} s")
        policy, folder = load_policy(POLICY), directory.private_folder()
        prover = Prover(ServerView(cluster, embedded), policy, running=policy, folder=folder)
        proven_loop(prover)  # rights, connections and caches are warm from here on
        rounds = [(bare_loop(cluster, prover), proven_loop(prover)) for _ in range(ROUNDS)]
        prover.close()
    finally:
        directory.close()
    with tempfile.TemporaryDirectory() as bytecode:
        whole_run(bytecode)  # compiles the modules
        wholes = [whole_run(bytecode) for _ in range(3)]
    bare = statistics.median(bare for bare, _ in rounds)
    ratio = statistics.median(proven / bare for bare, proven in rounds)
    whole = statistics.median(spent - start for spent, start, _ in wholes)
    print(f"bare loop               {bare / ACTIONS * 1000:6.2f} ms an action, {ACTIONS} actions")
    print(f"perform, fence, judge   {ratio:6.2f} times the bare loop (aim: 1.2)")
    print(f"whole run, with report  {whole / bare:6.2f} times the bare loop (aim: 2), cluster start apart")
    print(f"  its cluster start     {statistics.median(start for _, start, _ in wholes):6.2f} s")
    print(f"peak memory of pytest   {max(peak for _, _, peak in wholes) / 1024:6.0f} MiB (aim: 200), servers apart")


if __name__ == "__main__":
    main()
