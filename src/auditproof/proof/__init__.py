"""Plan, perform, fence, judge: performs cases on real servers and returns a verdict for each.

::

    from auditproof.proof import RunOptions, Session

    with Session(RunOptions.of(Path("policy.yaml"))) as session:
        proofs = session.prove(cases)

Each name is imported when it is first used: judging recorded events does not need the code that starts servers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditproof.client.exchange import Exchange
    from auditproof.proof.prover import Proof, Prover
    from auditproof.proof.run_options import RunOptions
    from auditproof.proof.session import Session
    from auditproof.proof.verdict import Evidence, Outcome, Verdict, judge

__all__ = ["Evidence", "Exchange", "Outcome", "Proof", "Prover", "RunOptions", "Session", "Verdict", "judge"]

_HOMES = {
    "auditproof.client.exchange": ("Exchange",),
    "auditproof.proof.prover": ("Proof", "Prover"),
    "auditproof.proof.run_options": ("RunOptions",),
    "auditproof.proof.session": ("Session",),
    "auditproof.proof.verdict": ("Evidence", "Outcome", "Verdict", "judge"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
