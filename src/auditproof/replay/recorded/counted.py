"""Which lines of a log SQL has counted: the second reading passes them over, and Python judges the others."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from auditproof.replay.recorded.lines import FILE_BITS, NotCounted, begins_plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from auditproof.analysis.requirements import Requirement
    from auditproof.audit.policy.load import Policy
    from auditproof.auditlog.forms.opening import Passes
    from auditproof.proof.offline import OfflineJudge
    from auditproof.replay.recorded.requests import Requests

SMALL = 8 << 20  # bytes of log that Python has judged before a query is ready
_LIBRARIES = ("duckdb", "sqlglot", "zstandard", "fsspec")


def can_count(paths: Sequence[Path], *, small: int = SMALL) -> bool:
    """Whether a log is worth it: the extra ``replay`` is there, and the log is large and begins as SQL reads it."""
    if not all(map(find_spec, _LIBRARIES)):
        return False
    try:
        size = sum(path.stat().st_size for path in paths)
    except OSError:
        return False  # the reading says why
    return size >= small and any(map(begins_plain, paths))


class Counted:
    """The second reading of a log. After a line, ``is_example`` says whether it was counted and is only shown."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._places = requests.places()
        self._next = next(self._places, None)
        self._plain = 0
        self.is_example = False

    def lines_of(self, number: int) -> Passes:
        """What ``Opening`` asks about the lines of a file."""
        base = number << FILE_BITS
        runs = iter(self._requests.passed[number])
        run = next(runs, None)

        def passes(line_number: int, _line: bytes) -> bool:
            nonlocal run
            self.is_example = False
            while run is not None and run[1] < line_number:
                run = next(runs, None)
            if run is None or line_number < run[0]:
                return False
            self._plain += 1
            return self._is_counted(base + line_number)

        self._plain = 0
        return passes

    def _is_counted(self, place: int) -> bool:
        while self._next is not None and self._next[0] < place:
            self._next = next(self._places, None)
        if self._next is None or self._next[0] != place:
            return True
        self.is_example = not self._next[1]
        return False

    def end_of(self, number: int) -> None:
        """Check that this reading of a file has come to the same lines as the first one.

        Raises NotCounted: a line that SQL refused may begin a value that goes on over lines which it has counted.
        """
        if self._plain != sum(last - first + 1 for first, last in self._requests.passed[number]):
            raise NotCounted("a value over several lines holds lines that were counted")

    def add_to(self, judgement: OfflineJudge) -> None:
        """Add what was counted. Raises NotCounted where Python has seen another request in an example."""
        try:
            for kind, (users, count) in self._requests.kinds().items():
                judgement.count(kind, users, count)
        except KeyError as kind:
            raise NotCounted(f"no example of {kind}") from None
        judgement.span(*self._requests.span())


@contextmanager
def counted(paths: Sequence[Path], policy: Policy, requirements: Sequence[Requirement]) -> Iterator[Counted]:
    """Count what SQL can; raises NotCounted where it cannot, and OSError where a file cannot be read."""
    from auditproof.replay.recorded.requests import read_requests

    with read_requests(paths, policy, requirements) as found:
        yield Counted(found)
