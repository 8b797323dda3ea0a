"""Which tests share a worker of pytest-xdist."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# What tests share that takes seconds to make, by the beginnings of their ids.
SHARED = {
    "tests/live/test_kind": "cluster",  # and two processors are not enough for two clusters of kind at once
    "tests/packaging/": "packages and environments",
    "tests/browser/": "browser",
    "tests/docs/test_site.py": "browser",
    "tests/replay/test_generator.py": "a generated log",
    "tests/replay/test_forecast.py": "the sizes of another log",
    "tests/plugin/test_run.py": "what a run collects",
    "tests/contract/test_facts.py": "every case and every test, read",
    "tests/contract/test_public_detections.py": "public rules",
}


class Sharing(LoadScopeScheduling):
    """Tests that share servers, clusters, environments or a browser run on one worker: it makes them once.

    All others run one by one; xdist has them start after the files, where they fill the gap at the end.
    """

    def _split_scope(self, nodeid: str) -> str:
        for beginning, what in SHARED.items():
            if nodeid.startswith(beginning):
                return what
        return nodeid.partition("::")[0] if nodeid.startswith("tests/live/") else nodeid
