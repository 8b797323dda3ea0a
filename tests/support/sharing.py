"""Which tests share a worker of pytest-xdist."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


class Sharing(LoadScopeScheduling):
    """The live tests of a file run on one worker, because they share servers, and so do all tests on kind.

    All others run one by one; xdist has them start after the files, where they fill the gap at the end.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/live/test_kind"):
            return "kind"
        return nodeid.partition("::")[0] if nodeid.startswith("tests/live/") else nodeid
