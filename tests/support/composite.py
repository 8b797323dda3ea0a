"""Runs the scripts of action.yml as GitHub's runner runs those of a composite action.

The runner is imitated here, as far as action.yml needs it: inputs and their defaults, ``${{ }}``, conditions, the files
of commands (GITHUB_OUTPUT, GITHUB_STEP_SUMMARY), bash with its flags. What ``uses`` another action is only noted down.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
_EXPRESSION = re.compile(r"\$\{\{ *([\w.-]+) *\}\}")
_OF_A_JOB = re.compile(r"GITHUB_|RUNNER_|AUDITPROOF_(?!CACHE$)")
_COMPARED = re.compile(r"([\w.-]+) (==|!=) '([^']*)'")


@dataclass
class Job:
    """A job with one step, which uses the action in the checkout ``workspace``.

    ``event`` has what the expressions name of the event. ``outputs`` are those of each step by its id; ``used`` has
    what other actions were called with, ``log`` what the scripts said, ``failed`` the script that ended the job.
    """

    workspace: Path
    temporary: Path
    variables: dict[str, str] = field(default_factory=dict)
    event: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    log: str = ""
    failed: str = ""

    @property
    def summary(self) -> str:
        return "".join(path.read_text() for path in sorted(self.temporary.glob("summary-*")))

    def run(self, **given: str) -> int:
        """Run the action with inputs (``_`` for ``-``); returns the exit code of the script that failed, or 0."""
        known = {"github.token": "the-jobs-token"}
        inputs = {name: self._value(str(one.get("default", "")), known) for name, one in ACTION["inputs"].items()}
        named = {name.replace("_", "-"): value for name, value in given.items()}
        assert named.keys() <= inputs.keys()
        known |= {f"inputs.{name}": value for name, value in (inputs | named).items()}
        for number, step in enumerate(ACTION["runs"]["steps"]):
            if not self._holds(str(step.get("if", "")), known):
                continue
            if "uses" in step:
                name = str(step["uses"]).partition("@")[0]
                self.used[name] = {key: self._value(str(text), known) for key, text in step["with"].items()}
                self.outputs.setdefault(str(step.get("id", name)), {})
                continue
            if code := self._script(number, step, known):
                self.failed = str(step["name"])
                return code
        return 0

    def _script(self, number: int, step: dict[str, Any], known: dict[str, str]) -> int:
        output = self.temporary / f"output-{number:02}"
        output.touch()
        environment = {
            **{name: value for name, value in os.environ.items() if not _OF_A_JOB.match(name)},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.temporary / f"summary-{number:02}"),
            "RUNNER_TEMP": str(self.temporary),
            **self.variables,
            **{name: self._value(str(text), known) for name, text in step.get("env", {}).items()},
        }
        folder = self.workspace / self._value(step.get("working-directory", "."), known)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self._value(step["run"], known)],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        self.log += done.stdout
        self.outputs[str(step.get("id", number))] = dict(
            line.split("=", 1)
            for line in output.read_text().splitlines()  # values of a line, as the scripts write them
        )
        return done.returncode

    def _lookup(self, name: str, known: dict[str, str]) -> str:
        if name.startswith("steps."):
            _, step, outputs, output = name.split(".")
            assert outputs == "outputs"
            return self.outputs.get(step, {}).get(output, "")
        return self.event.get(name, "") if name.startswith("github.event.") else known[name]

    def _value(self, text: str, known: dict[str, str]) -> str:
        found = _EXPRESSION.sub(lambda one: self._lookup(one[1], known), text)
        assert "${{" not in found, text
        return found

    def _holds(self, condition: str, known: dict[str, str]) -> bool:
        parts = [_COMPARED.fullmatch(part) for part in condition.split(" && ")] if condition else []
        assert all(parts), condition
        return all((self._lookup(one[1], known) == one[3]) is (one[2] == "==") for one in parts if one)
