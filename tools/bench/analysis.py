"""What it costs to analyse policies, compared with reading JSON: no server, no process."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from auditproof.analysis.coverage import Depth, plan_coverage
from auditproof.analysis.lint import lint
from auditproof.analysis.mutation import strength
from auditproof.analysis.space import Space
from auditproof.cli.arguments import load_required
from auditproof.kube.discovery import load_served
from tools.bench.measure import cpu_of, smallest
from tools.bench.parts import Ratio
from tools.bench.policies import long_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.audit.policy.load import Policy
    from auditproof.kube.discovery import Served

KUBERNETES = "1.37"
UNIT = "json.loads of 4 MB"


def measure() -> dict[str, Ratio]:
    """The ratios of policies of an ordinary length, in seconds."""
    return _ratios(lints=(200,), spaces=(200,), covered=30, mutated=60)


def measure_long() -> dict[str, Ratio]:
    """The ratios of very long policies, in minutes."""
    return _ratios(lints=(500, 1000), spaces=(500,), covered=60, mutated=60)


def _ratios(lints: tuple[int, ...], spaces: tuple[int, ...], covered: int, mutated: int) -> dict[str, Ratio]:
    served = load_served(KUBERNETES)
    required = [one for file in load_required(["baseline"], KUBERNETES) for one in file.requirements]
    works: dict[str, Callable[[], object]] = {UNIT: partial(json.loads, _json())}
    works |= {f"the space of {rules} rules": partial(_whole_space, long_policy(rules), served) for rules in spaces}
    works |= {f"lint of {rules} rules": partial(lint, long_policy(rules), served) for rules in lints}
    every = partial(plan_coverage, long_policy(covered), served, Depth.ALL)
    works[f"every class of {covered} rules (--coverage all)"] = every
    works[f"mutants of {mutated} rules"] = partial(strength, long_policy(mutated), required, (), served)
    least = smallest({name: partial(cpu_of, work) for name, work in works.items()})
    return {name: Ratio(spent / least[UNIT], UNIT) for name, spent in least.items() if name != UNIT}


def _whole_space(policy: Policy, served: Served) -> int:
    return sum(1 for _ in Space.of(policy.rules, served).outcomes())


def _json() -> str:
    """About 4 MB like an audit log."""
    event = {"kind": "Event", "level": "Metadata", "user": {"username": "alice", "groups": ["a", "b"]}, "code": 200}
    one = json.dumps(event)
    return f"[{', '.join([one] * (4_000_000 // (len(one) + 2)))}]"
