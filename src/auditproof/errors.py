"""The exceptions of auditproof, all in one tree.

::

    AuditproofError            anything that auditproof reports to its user in plain words
    ├── SourceError            a file of the user's (policy, cases, profile) cannot be used
    │   ├── NotYaml            it is not even YAML (or JSON)
    │   └── PolicyRefused      the API server would refuse to start with this policy
    ├── ClusterError           a cluster could not be had, or is gone
    │   ├── BinaryNotFound     etcd or kube-apiserver is nowhere to be found, downloaded or built
    │   └── ServerDied         a server ended by itself; carries its own last words
    ├── WireError              a request of the set-up was not answered as it must be
    └── LogUnreadable          the audit log cannot be read

Each message says what happened, where, what was expected and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


SHOWN_PROBLEMS = 50  # of one file: whoever has more of them has one mistake, made many times


class AuditproofError(Exception):
    """The base of all errors that auditproof reports to its user: shown as a message, without a traceback.

    >>> from auditproof import AuditproofError, load_policy
    >>> try:
    ...     load_policy("missing.yaml")
    ... except AuditproofError as error:
    ...     print(error)
    missing.yaml:1:1: the policy cannot be read: No such file or directory
    """


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; ``line`` and ``column`` count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong at one place of a file."""

    position: Position
    message: str

    def __str__(self) -> str:
        return f"{self.position}: {self.message}"


class SourceError(AuditproofError):
    """A file cannot be used; ``problems`` lists everything that is wrong with it, in file order.

    >>> from auditproof import SourceError, load_policy
    >>> try:
    ...     load_policy("missing.yaml")
    ... except SourceError as error:
    ...     print(error.problems[0].position.path)
    missing.yaml
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:SHOWN_PROBLEMS]]
        more = len(self.problems) - len(lines)
        super().__init__("\n".join([*lines, f"... and {more} more"] if more else lines))


class NotYaml(SourceError):
    """A text is not YAML, or not JSON where JSON is expected; ``server_message`` is what kube-apiserver says of it."""

    def __init__(self, problems: Sequence[Problem], server_message: str) -> None:
        self.server_message = server_message
        super().__init__(problems)


class PolicyRefused(SourceError):
    """The API server would refuse to start with this policy.

    ``server_message`` is the text that kube-apiserver itself prints for it (without the file name).

    >>> from auditproof import PolicyRefused, parse_policy
    >>> try:
    ...     parse_policy(b'{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": []}', "policy.json")
    ... except PolicyRefused as error:
    ...     print(error.server_message)
    loaded illegal policy with 0 rules
    """

    def __init__(self, problems: Sequence[Problem], server_message: str) -> None:
        self.server_message = server_message
        super().__init__(problems)


class ClusterError(AuditproofError):
    """A cluster could not be had, or it is gone."""


class BinaryNotFound(ClusterError):
    """A server binary is nowhere to be found; the message lists every place that was tried."""


class ServerDied(ClusterError):
    """A server ended by itself; the message ends with the server's own last words."""


class WireError(AuditproofError):
    """A request of the set-up (never a judged action) was not answered as it must be."""


class LogUnreadable(AuditproofError):
    """The audit log cannot be read, so nothing can be proven by it."""
