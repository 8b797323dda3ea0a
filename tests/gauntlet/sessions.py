"""pytest sessions that hide what was shown: by how a test is written, by options, by a plugin that rewrites outcomes.

Each is a project of its own on a server that runs the policy which it is said to run. What its actions are worth is
known before: the server records everything as Metadata. Exit code, results.json and junit.xml must tell the same, and
not what is untrue.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.run.run_directory import RunDirectory

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
TIMEOUT_S = 180
# What an action expects, and the verdict that it must get.
EXPECTED = {
    "right": ("", "PROVEN"),
    "wrong": (", Expectation(level=Level.REQUEST_RESPONSE)", "VIOLATED"),
    "unclear": (", Expectation(status=418)", "UNPROVEN"),
}
# How a test deals with it: the lines of the test, {act} its action.
FORMS = {
    "plain": "    audit(alice, {act})",
    "swallowed": "    try:\n        audit(alice, {act})\n    except Exception:\n        pass",
    "raises": "    with pytest.raises(Exception):\n        audit(alice, {act})",
    "ignored": "    audit.attempt(alice, {act})",
    "skips": "    audit.attempt(alice, {act})\n    pytest.skip('later')",
    "needs": "    audit.attempt(alice, {act})\n    pytest.importorskip('no_such_module')",
    "xfails": "    audit.attempt(alice, {act})\n    pytest.xfail('known')",
    "fails": "    audit.attempt(alice, {act})\n    assert False",
}
MARKS = ("", "", "", "@pytest.mark.xfail\n", "@pytest.mark.xfail(strict=True)\n", "@pytest.mark.skip\n")
OPTIONS: tuple[tuple[str, ...], ...] = (
    (),
    (),
    ("-x",),
    ("--lf",),
    ("-k", "test_1 or test_2"),
    ("-n", "2"),
    ("--maxfail=2",),
    ("--runxfail",),
    ("--setup-only",),
    ("--setup-plan",),
    ("-p", "no:junitxml"),
)
PLUGINS = {
    "passes": (
        "import pytest\n@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
        "    report = yield\n    report.outcome = 'passed'\n    report.longrepr = None\n    return report\n"
    ),
    "forgives": "def pytest_sessionfinish(session, exitstatus):\n    session.exitstatus = 0\n",
    "drops": "def pytest_collection_modifyitems(items):\n    del items[1:]\n",
}
HEAD = """import pytest
from auditproof.kube.action import act
from auditproof.audit.event import Level
from auditproof.cases.expectation import Expectation
from auditproof.kube.identity import Identity

@pytest.fixture
def alice():
    return Identity.x509("alice", "dev")

"""


@dataclass(frozen=True, slots=True)
class Session:
    """A project: its test file, its conftest.py, the options it is run with, and what all that is called."""

    number: int
    text: str
    conftest: str
    options: tuple[str, ...]
    name: str


def session_of(seed: int, number: int) -> Session:
    """The session with a number; everything about it follows from the seed."""
    random = Random(f"{seed}:session:{number}")
    text, names = HEAD, []
    for n in range(random.randint(2, 4)):
        expected, form, mark = random.choice(list(EXPECTED)), random.choice(list(FORMS)), random.choice(MARKS)
        action = f'act("get", "namespaces/default"){EXPECTED[expected][0]}'
        text += f"{mark}def test_{n}_{expected}(audit, alice):\n{FORMS[form].format(act=action)}\n\n"
        names.append(f"{expected} {form} {mark.strip()}".strip())
    plugin = random.choice([*PLUGINS, "", "", ""])
    options = random.choice(OPTIONS)
    name = f"{', '.join(names)}; {plugin or 'no'} plugin; {' '.join(options) or 'no options'}"
    return Session(number, text, PLUGINS.get(plugin, ""), options, name)


class Sessions:
    """Performs sessions on one server, each in a folder below ``folder``."""

    def __init__(self, directory: RunDirectory, folder: Path) -> None:
        self._folder = folder
        self._policy = folder / "policy.yaml"
        self._policy.write_text(POLICY)
        embedded = EmbeddedProvider(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
        self._cluster = embedded.cluster(self._policy)

    def faults(self, session: Session) -> list[str]:
        """Perform a session; everything in which what it leaves is untrue, or contradicts itself."""
        project = self._folder / str(session.number)
        project.mkdir()
        (project / "test_session.py").write_text(session.text)
        (project / "conftest.py").write_text(session.conftest)
        _connect(project, self._cluster)
        options = ["-q", f"--audit-policy={self._policy}", "--audit-cluster=existing.yaml", "--audit-report=out"]
        command = [sys.executable, "-m", "pytest", ".", *options, *session.options]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "AUDIT"))}
        done = subprocess.run(
            command, cwd=project, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, env=environment
        )
        return list(_faults(done.returncode, project / "out"))


def _faults(code: int, out: Path) -> Iterator[str]:
    results = json.loads((out / "results.json").read_text()) if (out / "results.json").exists() else {}
    proofs: list[dict[str, Any]] = results.get("proofs", [])
    verdicts = Counter(proof["verdict"] for proof in proofs)
    if code not in (0, 1, 2, 5):
        yield f"exit code {code}"
    for proof in proofs:
        due = next(verdict for name, (_, verdict) in EXPECTED.items() if f"_{name}" in proof["id"])
        if proof["verdict"] == "PROVEN" != due:  # a test that fails for its own reasons may call it VIOLATED
            yield f"{proof['id']} is PROVEN in results.json, and truly {due}"
    shown = verdicts["VIOLATED"] + verdicts["UNPROVEN"]
    if code == 0 and shown:
        yield f"exit code 0, and results.json has {dict(verdicts)}"
    if code == 0 and not proofs:
        yield "exit code 0, and nothing was proven"
    yield from _summary(results, verdicts)
    yield from _junit(code, shown, out / "junit.xml")


def _summary(results: dict[str, Any], verdicts: Counter[str]) -> Iterator[str]:
    summary = results.get("summary", {})
    for key, verdict in (("proven", "PROVEN"), ("violated", "VIOLATED")):
        if summary and summary[key] != verdicts[verdict]:
            yield f"the summary has {summary[key]} {key}, and there are {verdicts[verdict]} such proofs"


def _junit(code: int, shown: int, file: Path) -> Iterator[str]:
    if not file.exists():
        return
    suites = list(ElementTree.parse(file).getroot().iter("testsuite"))
    bad = sum(int(suite.get(key, 0)) for suite in suites for key in ("failures", "errors"))
    if shown and not bad:
        yield f"junit.xml has no failure, and results.json {shown} verdicts that are not PROVEN"
    if code == 0 and bad:
        yield f"exit code 0, and junit.xml has {bad} failures"


def _connect(project: Path, cluster: Cluster) -> None:
    """A kubeconfig and a profile by which the project reaches the server."""
    user = {"client-certificate": str(cluster.admin.cert), "client-key": str(cluster.admin.key)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": cluster.url, "certificate-authority": str(cluster.ca)}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    profile = {
        "apiVersion": "auditproof/v1",
        "kind": "Profile",
        "provider": "existing",
        "kubernetes": "1.37",
        "kubeconfig": "kubeconfig",
        "log": [str(cluster.log)],
        "rights": "cluster",
        "clientCA": {
            "certificate": str(cluster.authorities.client.certificate),
            "key": str(cluster.authorities.client.key),
        },
    }
    (project / "kubeconfig").write_text(json.dumps(config))
    (project / "existing.yaml").write_text(json.dumps(profile))
