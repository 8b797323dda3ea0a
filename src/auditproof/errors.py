"""The exceptions of auditproof, all in one tree.

::

    AuditproofError            an error that is reported to the user in plain words
    ├── SourceError            a file of the user (policy, cases, profile) cannot be used
    │   ├── NotYaml            it is not YAML (or JSON)
    │   └── PolicyRefused      the API server would refuse to start with this policy
    ├── ClusterError           a cluster could not be started or reached, or is gone
    │   ├── BinaryNotFound     etcd or kube-apiserver could not be found, downloaded or built
    │   └── ServerDied         a server exited unexpectedly; has its last log lines
    ├── WireError              a set-up request got an unexpected response
    ├── SetupFailed            objects or credentials that some cases need could not be made
    ├── Misuse                 a Python test calls auditproof in a way that means nothing
    └── LogUnreadable          the audit log cannot be read

Each message says what happened, where, what was expected and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


SHOWN_PROBLEMS = 50  # per file; more of them are usually one mistake, repeated


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
    """A position in a file; ``line`` and ``column`` count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem at one position in a file."""

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
    """A text is not YAML, or not JSON where JSON is expected; ``server_message`` is kube-apiserver's message."""

    def __init__(self, problems: Sequence[Problem], server_message: str) -> None:
        self.server_message = server_message
        super().__init__(problems)


class PolicyRefused(SourceError):
    """The API server would refuse to start with this policy.

    ``server_message`` is kube-apiserver's own message (without the file name).

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
    """A cluster could not be started or reached, or is gone."""


class BinaryNotFound(ClusterError):
    """No server binary was found; the message lists every location that was tried."""


class ServerDied(ClusterError):
    """A server exited unexpectedly; the message ends with its last log lines."""


class WireError(AuditproofError):
    """A set-up request (never a judged action) got an unexpected response."""


class SetupFailed(AuditproofError):
    """Objects or credentials that some cases need could not be made, so nothing was performed.

    ``by_case`` is the reason for each of these cases, by its id; the others can be performed without them.
    """

    def __init__(self, by_case: Mapping[str, AuditproofError]) -> None:
        self.by_case = dict(by_case)
        super().__init__("\n".join(dict.fromkeys(map(str, self.by_case.values()))))


class Misuse(AuditproofError, TypeError):
    """A Python test calls auditproof in a way that means nothing; the message says what to write.

    >>> from auditproof import AuditproofError, act
    >>> try:
    ...     act("exce", "pods/web", "shop")
    ... except AuditproofError as error:
    ...     print(str(error).partition(" (")[0])
    act: unknown verb 'exce'; did you mean exec?
    """


class LogUnreadable(AuditproofError):
    """The audit log cannot be read, so nothing can be proven by it."""
