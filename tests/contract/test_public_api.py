"""The public API: these names, each documented by an example that runs, and imported only when used."""

from __future__ import annotations

import ast
import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import auditproof
from auditproof import content, testing

ROOT = content.root()
NAMES = {
    "load_policy parse_policy Policy PolicyRule Level Stage AuditEvent",
    "decide explain Decision Explanation Attributes UserInfo attributes_of",
    "lint Finding diff PolicyDiff plan_coverage Coverage Depth load_requirements check_requirement load_served Served",
    "Identity Action Request act path_request to_request",
    "Case CaseFile Expectation load_case_file Session RunOptions Proof Verdict Evidence Outcome Report load_report",
    "AuditproofError SourceError PolicyRefused __version__",
}
SUITES = [*ROOT.glob("suites/**/*.py"), *ROOT.glob("fixtures/*.py"), ROOT / "conftest.py"]
OBJECTS = [name for name in auditproof.__all__ if name != "__version__"]


def test_these_names_are_public() -> None:
    """Whoever changes this list changes what others build on: say so in CHANGELOG.md."""
    assert sorted(auditproof.__all__) == sorted(" ".join(NAMES).split())
    assert {"Audit", "Recorded", "require"} <= set(testing.__all__)


def test_type_checkers_see_every_name_where_it_is_imported_from() -> None:
    """The block under TYPE_CHECKING and the table of modules say the same."""
    tree = ast.parse(Path(auditproof.__file__).read_text(encoding="utf-8"))
    seen = {
        (node.module, alias.asname or alias.name)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    table = {(f"auditproof.{module}", name) for module, names in auditproof._MODULES.items() for name in names}
    assert seen == table
    assert {name for _, name in table} == set(OBJECTS)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'auditproof' has no attribute 'polcy'"):
        auditproof.polcy  # noqa: B018 - the access is what is tested
    assert set(auditproof.__all__) <= set(dir(auditproof))


@pytest.mark.parametrize("name", OBJECTS)
def test_a_public_name_has_an_example_that_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own docstring, with nothing but what it imports from auditproof itself."""
    monkeypatch.chdir(ROOT)
    value = getattr(auditproof, name)
    assert value.__name__ == name
    check(value.__doc__, name)


def test_the_example_of_the_package_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    check(auditproof.__doc__, "auditproof")


def check(text: str | None, name: str) -> None:
    test = doctest.DocTestParser().get_doctest(text or "", {}, name, None, None)
    assert test.examples, f"{name} has no example"
    shown: list[str] = []
    failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=shown.append)
    assert not failed, "".join(shown)


@pytest.mark.parametrize("path", SUITES, ids=lambda path: str(path.relative_to(ROOT)))
def test_suites_use_the_public_faces_alone(path: Path) -> None:
    """What we ship as tests is written as anybody else's tests are."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name for name in modules if name.startswith("auditproof")} <= {"auditproof", "auditproof.testing"}


# what may be imported from outside the standard library by the time that a process has done this
POLICY = ["yaml", "_yaml", "cython_runtime"]
COMMANDS = {
    "import auditproof": [],
    "import auditproof.clusters.stand_ins.kubelet": [],
    "from auditproof import Level, Stage, Identity, act, attributes_of, decide": [],
    "from auditproof import load_policy": POLICY,
    "from auditproof.cli.main import main; main(['--help'])": [],
    "from auditproof.cli.main import main; main(['--version'])": [],
    "from auditproof.cli.main import main; main(['lint', 'fixtures/policies/baseline.yaml'])": POLICY,
    **{
        f"from auditproof.cli.main import main; main([{name!r}, '--help'])": []
        for name in (path.stem for path in (ROOT / "src/auditproof/cli").glob("*.py"))
        if name not in ("__init__", "main", "arguments")
    },
}
TOLD = """
import contextlib, io, sys
before = set(sys.modules)
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    exec(sys.argv[1])
names = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
print(*sorted(names - {"auditproof"}))
"""


@pytest.mark.parametrize("statement", COMMANDS)
def test_only_these_packages_are_imported(statement: str) -> None:
    """Start-up is kept short by this, and not by a time limit: machines differ."""
    command = [sys.executable, "-c", TOLD, statement]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found = {name for name in done.stdout.split() if not name.startswith("_cython_")}  # has a version in its name
    assert found <= set(COMMANDS[statement]), done.stderr
