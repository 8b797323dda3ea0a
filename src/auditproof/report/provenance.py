"""Who ran a proof, where, and of which state of the policy: what a ticket needs in addition to the verdict.

Read from git and from the variables that CI systems set. Nothing of it is needed: what cannot be known is left out.
"""

from __future__ import annotations

import getpass
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditproof.audit.redact import redact_command, redact_text
from auditproof.report.model import RunRecord
from auditproof.text.paths import path_below, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GIT_TIMEOUT_S = 5.0
# A hook of git sets these for its own repository; the policy may be in another one.
_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


@dataclass(frozen=True, slots=True)
class _Ci:
    """A CI system: its name, the variable that it always sets, who started the job, the job's URL.

    ``workspace`` is the variable with the folder from which it names files, usually the root of the checkout.
    """

    name: str
    mark: str
    by: str
    url: str
    workspace: str


_SYSTEMS = (
    _Ci("GitHub Actions", "GITHUB_ACTIONS", "{GITHUB_ACTOR}",
        "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}", "GITHUB_WORKSPACE"),
    _Ci("GitLab CI", "GITLAB_CI", "{GITLAB_USER_LOGIN}", "{CI_JOB_URL}", "CI_PROJECT_DIR"),
    _Ci("Jenkins", "JENKINS_URL", "{BUILD_USER_ID}", "{BUILD_URL}", "WORKSPACE"),
    _Ci("Azure Pipelines", "TF_BUILD", "{BUILD_REQUESTEDFOR}",
        "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}", "BUILD_SOURCESDIRECTORY"),
    _Ci("CircleCI", "CIRCLECI", "{CIRCLE_USERNAME}", "{CIRCLE_BUILD_URL}", "CIRCLE_WORKING_DIRECTORY"),
    _Ci("Buildkite", "BUILDKITE", "{BUILDKITE_BUILD_CREATOR}", "{BUILDKITE_BUILD_URL}",
        "BUILDKITE_BUILD_CHECKOUT_PATH"),
)  # fmt: skip


def run_record(
    command: Sequence[str], environment: Mapping[str, str] = os.environ, *, paths: Sequence[str] = ()
) -> RunRecord:
    """By whom and where this run was made: ``by``, ``ci`` and ``url`` (empty where unknown), ``command`` and ``paths``.

    What looks like a secret is taken out.
    """
    system = next((system for system in _SYSTEMS if environment.get(system.mark)), None)
    if system is None:
        by, ci, url = _login(), "CI" if environment.get("CI") else "", ""
    else:
        by, ci, url = _filled(system.by, environment), system.name, _filled(system.url, environment)
    return RunRecord(by=by, ci=ci, url=redact_text(url), command=tuple(redact_command(command)), paths=tuple(paths))


def _filled(template: str, environment: Mapping[str, str]) -> str:
    """The template with the variables' values; empty where one of them is not set."""
    try:
        return template.format_map(environment)
    except KeyError:
        return ""


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no variable, and no entry in the user database
        return ""


def policy_state(file: Path | None, ref: str = "") -> dict[str, Any]:
    """The git ``commit`` that the policy file is checked out at, and whether it is ``modified`` since; or None each.

    A policy that was read from a revision ``ref`` is that commit's, unmodified; one of standard input is nobody's.
    """
    if ref and file is None:
        commit = _git(Path.cwd(), "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
        return {"commit": commit, "modified": None if commit is None else False}
    if file is None:
        return {"commit": None, "modified": None}
    commit = _git(file.parent, "rev-parse", "--verify", "HEAD")
    changes = _git(file.parent, "status", "--porcelain", "--ignored", "--", file.name) if commit else None
    return {"commit": commit, "modified": None if changes is None else bool(changes)}


def repository_root(folder: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The root from which CI systems name the files of a repository; None if there is none around ``folder``.

    The workspace of the CI system, if it holds the folder: several repositories may be checked out in it, and git gives
    no answer about a checkout of another user. Otherwise that of git.
    """
    for system in _SYSTEMS:
        given = environment.get(system.workspace)
        workspace = path_of(given).resolve() if given else None
        if workspace and folder.resolve().is_relative_to(workspace):
            return workspace
    root = _git(folder, "rev-parse", "--show-toplevel")
    return Path(root).resolve() if root else None


def repository_files(folders: Sequence[Path], otherwise: Path) -> Callable[[str], str]:
    """A function from the path of a file as it is shown to the one from the root of its repository, for CI systems.

    It returns "" for what is not below the root, or is no file. What is shown is relative to one of ``folders``, of
    which the first is the working directory, and may be ``FILE#PLACE``. Outside of any repository, ``otherwise`` is the
    root.
    """

    @cache
    def root() -> Path:
        return repository_root(folders[0]) or otherwise.resolve()

    @cache  # thousands of cases are in a few files
    def named(shown: str) -> str:
        return path_below(root(), shown, folders) or path_below(root(), shown.partition("#")[0], folders)

    return named


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says in a folder; None without git, or outside of a repository."""
    quietly = ["-c", "core.fsmonitor=false", "--literal-pathspecs", "--no-optional-locks"]  # starts and writes nothing
    command = ["git", *quietly, "-C", str(folder), *arguments]
    variables = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    try:
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
