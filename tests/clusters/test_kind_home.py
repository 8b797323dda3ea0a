"""Which home the cluster of a run has: its own, or one that outlives it, which one run at a time may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.cli.main import main
from auditproof.clusters.kind.home import ClusterFolder, homes, remove_reusable
from auditproof.clusters.kind.reuse import choose_home, digest_of
from auditproof.clusters.run.run_directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def make_run() -> Iterator[Callable[[], RunDirectory]]:
    made: list[RunDirectory] = []

    def make() -> RunDirectory:
        made.append(RunDirectory.create())
        return made[-1]

    yield make
    for run in made:
        run.close()


def complete(home: ClusterFolder, undo: str = "exit 0") -> None:
    """A home as a run leaves it; ``undo`` stands for what removes the cluster."""
    home.path.mkdir(parents=True, exist_ok=True)
    home.undo.write_text(undo)
    home.remember(["/api/v1/namespaces/default"])


def quietly(_: str) -> None:
    pass


def test_digests_tell_what_a_cluster_is_made_from() -> None:
    """Parts are separated: ('a', 'bc') must not share a cluster with ('ab', 'c')."""
    assert digest_of("a", "bc") == digest_of("a", "bc") != digest_of("ab", "c")


def test_all_processes_of_a_run_have_the_same_home(make_run: Callable[[], RunDirectory]) -> None:
    """A worker that joins the run finds the home although the controller holds its lock."""
    run = make_run()
    first = choose_home(run, "abc", quietly)

    assert first.reusable
    assert choose_home(RunDirectory.open(str(run.path)), "abc", quietly) == first
    assert first.owner.read_text() == str(run.path)


def test_a_second_run_at_the_same_time_has_a_home_of_its_own(make_run: Callable[[], RunDirectory]) -> None:
    """Two runs on one cluster would see each other's events and objects."""
    first, second, said = make_run(), make_run(), list[str]()
    taken = choose_home(first, "abc", quietly)

    other = choose_home(second, "abc", said.append)

    assert other == ClusterFolder.of_run(second) != taken
    assert not other.reusable
    assert "makes a cluster of its own" in said[0]
    assert choose_home(RunDirectory.open(str(second.path)), "abc", quietly) == other


def test_a_run_that_has_ended_leaves_its_home_to_the_next(make_run: Callable[[], RunDirectory]) -> None:
    """The lock is released with the run, so the cluster is used again."""
    first = make_run()
    taken = choose_home(first, "abc", quietly)
    first.close()

    assert choose_home(make_run(), "abc", quietly) == taken


def test_a_home_knows_what_was_there_only_when_it_is_complete(cache: Path) -> None:
    """A cluster whose creation was interrupted has no inventory and is never reused."""
    home = ClusterFolder.in_cache("abc")
    assert home.before() is None
    complete(home)
    assert home.before() == ["/api/v1/namespaces/default"]
    assert home.remove() is None
    assert home.before() is None


def test_two_caches_have_clusters_of_different_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine has one name space for clusters, whatever cache they belong to."""
    name = ClusterFolder.in_cache("abc").name
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "other"))

    assert ClusterFolder.in_cache("abc").name != name


def test_what_is_reusable_is_removed_but_for_what_is_used(make_run: Callable[[], RunDirectory]) -> None:
    """A cluster that another run uses right now stays, and is counted as left."""
    said: list[str] = []
    complete(choose_home(make_run(), "used", quietly))
    complete(ClusterFolder.in_cache("unused"))

    assert remove_reusable(said.append) == 1

    assert sorted(said) == [
        f"removed the kind cluster {ClusterFolder.in_cache('unused').name}",
        f"the kind cluster {ClusterFolder.in_cache('used').name} is being used by another run: it stays",
    ]
    assert [path.name for path in homes().iterdir()] == ["used"]


def test_what_cannot_be_removed_is_told_with_the_way_to_do_it_by_hand() -> None:
    said: list[str] = []
    complete(ClusterFolder.in_cache("abc"), "echo the engine does not answer >&2; exit 1")

    assert remove_reusable(said.append) == 1

    assert "the engine does not answer" in said[0]
    assert ClusterFolder.in_cache("abc").undo.exists()


def test_the_command_says_what_it_would_remove_and_removes_it(capsys: pytest.CaptureFixture[str]) -> None:
    complete(ClusterFolder.in_cache("abc"))

    assert main(["cleanup", "--kind", "--dry-run"]) == 0
    assert capsys.readouterr().out == f"would remove the kind cluster {ClusterFolder.in_cache('abc').name}\n"
    assert main(["cleanup", "--kind"]) == 0
    assert capsys.readouterr().out == f"removed the kind cluster {ClusterFolder.in_cache('abc').name}\n"
    assert main(["cleanup", "--kind"]) == 0
    assert capsys.readouterr().out == f"no kind cluster was kept in {homes()}\n"
