"""Hundreds of broken and odd policies: accepted, warned about and refused exactly where the API server's loader does.

What the loader says stands in tests/vectors/broken.json; tests/live/test_broken_policies.py asks the real server.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.policy.load import parse_policy
from auditproof.errors import PolicyRefused
from tests.support.broken import BROKEN, data_of

if TYPE_CHECKING:
    from typing import Any

CPU_SECONDS, BYTES = 20, 3 << 30
PARSE = """
import sys
from auditproof.errors import PolicyRefused
from auditproof.audit.policy.load import parse_policy
try:
    parse_policy(sys.stdin.buffer.read(), "policy.yaml")
except PolicyRefused as refused:
    print(len(str(refused)))
"""


def comparable(message: str | None) -> str:
    """Without what varies between builds (the scheme's path), and without Go's own way to say what is not YAML.

    Nor with Go's dump of the key and the value, where a key is none.
    """
    message = re.sub(r"( in scheme |, key: ).*", "", message or "", flags=re.DOTALL)
    for parser in ("failed decoding: yaml:", "failed decoding: couldn't get version/kind; json parse error"):
        if message.startswith(parser):
            return parser
    return message


@pytest.mark.parametrize("case", BROKEN, ids=[case["name"] for case in BROKEN])
def test_a_broken_policy_is_read_as_the_loader_reads_it(case: dict[str, Any]) -> None:
    try:
        policy = parse_policy(data_of(case), "policy.yaml")
    except PolicyRefused as refused:
        assert not case["loads"], f"the API server loads it: {refused}"
        assert case["error"] is None or comparable(refused.server_message) == comparable(case["error"])
        assert refused.problems
        assert all(str(problem.position).startswith("policy.yaml:") for problem in refused.problems)
    else:
        assert case["loads"], f"the API server refuses it: {case['error']}"
        assert bool(policy.warnings) == (case["warning"] != "")


@pytest.mark.parametrize(
    "name", ["bomb-of-lists", "bomb-of-merges", "10MB-of-brackets", "10MB-of-digits", "deep-json", "deep-flow"]
)
def test_time_and_memory_are_bounded(name: str) -> None:
    """What is bounded is the process: it is ended by the kernel if it takes more."""
    case = next(case for case in BROKEN if case["name"] == name)
    done = subprocess.run(
        [sys.executable, "-c", PARSE],
        input=data_of(case),
        capture_output=True,
        check=False,
        preexec_fn=_limit,
    )
    assert done.returncode == 0, done.stderr.decode()[-500:]
    assert int(done.stdout or 0) < 20_000, "a message that nobody can read"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
