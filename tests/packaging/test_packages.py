"""Wheel and source distribution, as somebody gets them: in an environment of their own, in an empty folder."""

from __future__ import annotations

import sys
import tarfile
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from auditproof import __version__, content
from tests.support.installations import Installation, pythons, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.thorough
OLD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n"
NEW = OLD.replace("rules:\n", "rules:\n- level: None\n  resources: [{group: '', resources: [secrets]}]\n")
DEPENDENCIES = {"lowest": ("--resolution=lowest-direct",), "newest": ()}
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: t}}]
"""
TEST = "def test_plugin(pytestconfig):\n    assert pytestconfig.pluginmanager.has_plugin('auditproof.plugin')\n"


def contents(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_the_code_the_suites_and_the_licence_and_nothing_else(wheel: Path) -> None:
    names = set(contents(wheel))
    info = f"auditproof-{__version__}.dist-info"

    assert {name.partition("/")[0] for name in names} == {"auditproof", info}
    assert names >= {
        "auditproof/py.typed",
        "auditproof/content/suites/standard/reading.audit.yaml",
        "auditproof/content/fixtures/policies/baseline.yaml",
        "auditproof/content/conftest.py",
        f"{info}/licenses/LICENSE",
    }
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_the_source_distribution_builds_the_same_wheel(packages: Path, wheel: Path, tmp_path: Path) -> None:
    (source,) = packages.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()

    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "again", cwd=tree)

    (again,) = (tmp_path / "again").iterdir()
    assert contents(again) == contents(wheel)


@pytest.fixture(scope="module", params=DEPENDENCIES)
def installed(request: pytest.FixtureRequest, install: Callable[..., Installation]) -> Installation:
    """On the oldest Python with the oldest dependencies and extras, and on the newest Python with the newest."""
    oldest = request.param == "lowest"
    _, python = pythons()[0 if oldest else -1]
    return install(python, *DEPENDENCIES[request.param], extra="existing,mcp" if oldest else "")


def test_every_offline_command_works(installed: Installation, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)

    def told(*arguments: str) -> tuple[int, str]:
        return installed.fails("auditproof", *arguments, cwd=tmp_path)

    assert told("--version") == (0, f"auditproof {__version__}\n")
    assert told("--help")[0] == 0
    assert told("lint", "old.yaml") == (0, "1 policy for Kubernetes 1.37: nothing found\n")
    code, text = told("explain", "new.yaml", "--user", "alice", "--verb", "get", "--resource", "secrets")
    assert code == 0
    assert "new.yaml:5: rule 1 decides: not recorded (level None)" in text
    code, text = told("diff", "old.yaml", "new.yaml", "--forbid", "lost")
    assert (code, text.partition(":")[0]) == (1, "This change may not go in"), text
    assert told("describe", "new.yaml")[1].startswith("What this audit policy records\n")
    assert told("requirements", "old.yaml")[0] == 0
    assert told("explain-code", "AP402")[1].startswith("AP402 half-exec")
    assert '"$schema"' in told("schema", "policy")[1]
    code, text = told("lint", "missing.yaml")
    assert code == 4
    assert "Traceback" not in text


def test_every_public_name_is_imported_without_a_warning(installed: Installation, tmp_path: Path) -> None:
    statement = "import auditproof as a, auditproof.testing; print([getattr(a, name) for name in a.__all__])"

    installed("python", "-W", "error", "-c", statement, cwd=tmp_path)


def test_the_plugin_is_in_pytest(installed: Installation, tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(TEST)

    assert installed("pytest", "--version", cwd=tmp_path).startswith("pytest ")
    assert "auditproof" in installed("pytest", "--version", "--version", cwd=tmp_path)
    text = installed("pytest", "--strict-markers", "-W", "error", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert "1 passed" in text


@pytest.mark.parametrize("installed", ["lowest"], indirect=True)  # test_story.py has the newest
def test_a_run_proves_the_policy_on_a_real_server_without_a_warning(installed: Installation, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "policy.yaml").write_text(OLD)

    text = installed(
        "auditproof", "run", "policy.yaml", "-m", "standard", "-k", "get-secret", "--report", "out", cwd=tmp_path
    )

    assert "PROVEN: the server recorded what the policy decides" in text
    assert "warning" not in text.lower()
    assert {file.name for file in (tmp_path / "out").iterdir()} >= {"report.html", "results.json", "junit.xml"}


def test_a_kubeconfig_is_read_by_the_extra_and_what_to_install_is_said_without_it(
    installed: Installation, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(OLD)
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    has_it = installed.fails("python", "-c", "import kubernetes", cwd=tmp_path)[0] == 0

    cleanup = installed.fails("auditproof", "cleanup", "--kubeconfig", "kubeconfig", cwd=tmp_path)
    there = ("--cluster", "existing", "--kubeconfig", "kubeconfig", "--log", "audit.log")
    run = installed.fails("auditproof", "run", "policy.yaml", *there, "-q", cwd=tmp_path)

    for code, text in (cleanup, run):
        assert ('install it: pip install "auditproof[existing]"' in text) is not has_it, text
        assert "Traceback" not in text
        assert has_it or code == 4
    assert not has_it or "https://127.0.0.1:1" in cleanup[1]


def test_the_mcp_server_needs_its_extra_and_says_so(installed: Installation, tmp_path: Path) -> None:
    """With the oldest SDK it serves; without, it says what to install."""
    has_it = installed.fails("python", "-c", "import mcp", cwd=tmp_path)[0] == 0

    code, text = installed.fails("auditproof", "mcp", cwd=tmp_path)

    assert code == (0 if has_it else 4), text
    assert text == "" or 'install it: pip install "auditproof[mcp]"' in text
    assert bool(text) is not has_it


def test_content_is_found_in_the_installation(installed: Installation, tmp_path: Path) -> None:
    """Not in the tree that the packages were built from."""
    text = installed("python", "-c", "import auditproof.content as c; print(c.root())", cwd=tmp_path)

    assert text.startswith(str(installed.folder))
    assert not text.startswith(str(content.root()))
