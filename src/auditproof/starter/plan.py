"""Decides which files a repository gets, and what is in them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from auditproof import __version__
from auditproof.analysis.gate import FILE as CHANGES
from auditproof.analysis.lint import examine
from auditproof.analysis.lint.catalogue import Severity
from auditproof.kube.discovery import load_served
from auditproof.kube.versions import DEFAULT_VERSION
from auditproof.report.provenance import repository_root
from auditproof.starter import own_cases, own_requirements
from auditproof.starter.template import filled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from auditproof.starter.own_requirements import OwnRequirements
    from auditproof.starter.policy import StartingPolicy

SCHEMAS = ".auditproof"
REPORT = "reports"
GITHUB, GITLAB, NO_CI = "github", "gitlab", "none"
# A folder with one of these has tests of its own, whose settings are left alone.
_PYTHON = ("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "pytest.toml", ".pytest.ini", "conftest.py")


@dataclass(frozen=True, slots=True)
class StarterFile:
    """A file to be written, its text, and what to do by hand if it is there already."""

    path: Path
    text: str
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Starter:
    """The files, what to know about the policy, and the commands to try next in the folder."""

    files: tuple[StarterFile, ...]
    notes: tuple[str, ...]
    commands: tuple[str, ...]


def plan(folder: Path, policy: StartingPolicy, ci: str | None, kubernetes: str, schemas: Mapping[str, str]) -> Starter:
    """The files for ``folder``, which need not exist yet; ``ci`` is github, gitlab, none, or None: whatever is there.

    ``schemas`` are the JSON Schemas for editors: of case, requirements, changes and policy.
    The job and the pre-commit hook are put at the root of the repository around the folder, where they are looked for.
    """
    folder = folder.resolve()
    existing = next(one for one in (folder, *folder.parents) if one.is_dir())
    needs = own_requirements.own_requirements(
        policy.policy, policy.name, _schema(own_requirements.FILE, "requirements"), kubernetes
    )
    found = examine(policy.policy, load_served(kubernetes)).findings
    findings = sum(one.severity is not Severity.INFO for one in found)
    root = repository_root(existing, {}) or folder
    planning = _Planning(folder, root, policy, needs, findings, kubernetes, schemas)
    return Starter(tuple(planning.files(ci)), tuple(planning.notes()), tuple(planning.commands()))


@dataclass(frozen=True, slots=True)
class _Planning:
    """What all files are made from: the folder, the root of its repository, and what is known about the policy."""

    folder: Path
    root: Path
    policy: StartingPolicy
    requirements: OwnRequirements
    findings: int
    kubernetes: str
    schemas: Mapping[str, str]

    def files(self, ci: str | None) -> Iterator[StarterFile]:
        """All files, those that a user edits first."""
        policy, name = self.policy, self.policy.name
        if policy.text is not None:
            head = f"# yaml-language-server: $schema={_schema(policy.file, 'policy')}\n"
            yield StarterFile(self.folder / policy.file, head + policy.text)
        cases = own_cases.own_cases(policy.policy, name, _schema(own_cases.FILE, "case"))
        yield StarterFile(self.folder / own_cases.FILE, cases)
        if self.requirements.text is not None:
            yield StarterFile(self.folder / own_requirements.FILE, self.requirements.text)
        changes = f"{policy.folder}{CHANGES}"
        yield StarterFile(self.folder / changes, filled("audit-changes.yaml", SCHEMA=_schema(changes, "changes")))
        if not any((self.folder / one).exists() for one in _PYTHON):
            keys = f"audit_requirements = {own_requirements.FILE}" if self.requirements.text else ""
            text = filled("pytest.ini", POLICY=name, REQUIREMENTS=keys)
            yield StarterFile(self.folder / "pytest.ini", text, f"add to its section pytest: audit_policy = {name}")
        yield from self._job(ci or (GITLAB if (self.root / ".gitlab-ci.yml").is_file() else GITHUB))
        yield self._hook()
        for kind, text in self.schemas.items():
            yield StarterFile(self.folder / SCHEMAS / f"{kind}.schema.json", text)

    def _job(self, ci: str) -> Iterator[StarterFile]:
        if ci == GITHUB:
            yield StarterFile(self.root / ".github/workflows/audit-policy.yml", filled("github.yml", **self._values()))
        if ci == GITLAB:
            job = ".gitlab/audit-policy.yml"
            yield StarterFile(self.root / job, filled("gitlab.yml", **self._values()))
            include = f"add to it, so that the job runs: include: [{{local: {job}}}]"
            yield StarterFile(self.root / ".gitlab-ci.yml", filled("gitlab-include.yml"), include)

    def _values(self) -> dict[str, str]:
        """What the templates of the jobs name."""
        policy, report = self.policy, self._from_root(REPORT)
        file, folder = self._from_root(policy.file), self._from_root("")
        needs = f"--requirements {own_requirements.FILE} " if self.requirements.text else ""
        lenient = (
            f" --fail-on never   # {self.findings} findings: remove --fail-on when they are fixed"
            if self.findings
            else ""
        )
        return {
            "VERSION": __version__,
            "KUBERNETES": self.kubernetes,
            "POLICY": quote(policy.name),
            "BASE": quote(f"{file}{policy.place}"),
            "FILE": quote(file),
            "REQUIREMENTS": needs,
            "VERSIONS": self._versions(),
            "LINTED": lenient,
            "WORKING": f"        working-directory: {_yaml(folder)}" if folder else "",
            "FOLDER": f"      cd {quote(folder)}" if folder else "",
            "REPORTS": _yaml(report),
            "JUNIT": _yaml(f"{report}/junit.xml"),
            "QUALITY": _yaml(f"{report}/gl-code-quality.json"),
        }

    def _versions(self) -> str:
        """The option for the version, if it is not the usual one."""
        return "" if self.kubernetes == DEFAULT_VERSION else f" --kubernetes {self.kubernetes}"

    def _hook(self) -> StarterFile:
        pattern = _yaml(f"^{re.escape(self._from_root(self.policy.file))}$")
        text = filled("pre-commit.yaml", VERSION=__version__, PATTERN=pattern)
        hook = f"{{id: auditproof-lint, name: lint, language: python, entry: auditproof lint, files: {pattern}, "
        hook += f'additional_dependencies: ["auditproof=={__version__}"]}}'
        instead = f"add to its list repos: {{repo: local, hooks: [{hook}]}}"
        return StarterFile(self.root / ".pre-commit-config.yaml", text, instead)

    def _from_root(self, path: str) -> str:
        """The path of something in the folder from the root of the repository; "" for the root itself."""
        inside = self.folder.relative_to(self.root).as_posix()
        return path if inside == "." else f"{inside}/{path}".rstrip("/")

    def notes(self) -> Iterator[str]:
        """What is green, and what is not."""
        name, found = self.policy.name, self.requirements
        if self.findings:
            count = f"{self.findings} finding{'s' if self.findings > 1 else ''}"
            yield f"lint has {count} in {name}; the job reports them, and passes until you remove --fail-on from it"
        if found.unmet:
            left = "they are comments in it" if found.text else "so that no such file is written"
            met = f"{len(found.met)} of {len(found.met) + len(found.unmet)} first requirements"
            yield f"{name} meets {met}, but not {', '.join(found.unmet)}: {left}"

    def commands(self) -> Iterator[str]:
        """Three commands to try, in the folder."""
        name = quote(self.policy.name)
        needs = f" --requirements {own_requirements.FILE}" if self.requirements.text else ""
        needs += self._versions()
        yield f"auditproof lint {name}{self._versions()}"
        yield f"auditproof {'requirements' if self.requirements.text else 'describe'} {name}{needs}"
        yield f"auditproof run {name} audit{needs} --report {REPORT}"


def _schema(file: str, kind: str) -> str:
    """The relative path by which ``file`` names the schema of its kind."""
    return f"{'../' * file.count('/')}{SCHEMAS}/{kind}.schema.json"


def _yaml(text: str) -> str:
    """The text as a scalar of YAML."""
    return text if re.fullmatch(r"[\w.][\w./-]*", text) else json.dumps(text, ensure_ascii=False)
