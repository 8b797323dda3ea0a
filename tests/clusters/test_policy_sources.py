"""What can be named as a policy: a file, standard input, a folder, a glob, a git revision, and a place in each."""

from __future__ import annotations

import io
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.policy_files import PolicyFiles
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.errors import PolicyRefused, SourceError
from auditproof.report.provenance import policy_state

if TYPE_CHECKING:
    from pathlib import Path

POLICY = b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
INDENTED = POLICY.replace(b"\n", b"\n    ").rstrip(b" ")
CONFIG_MAP = b"apiVersion: v1\nkind: ConfigMap\ndata:\n  a.yaml: |\n    " + INDENTED


def names(given: str, folder: Path) -> list[str]:
    return [source.given for source in PolicyFiles().all(given, folder)]


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "p.yaml").write_bytes(POLICY)
    (tmp_path / "cm.yaml").write_bytes(CONFIG_MAP)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    (tmp_path / "p.yaml").write_bytes(POLICY.replace(b"Metadata", b"None"))
    return tmp_path


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))


def test_a_plain_file_is_itself_byte_for_byte(tmp_path: Path) -> None:
    """Also one with a # in its name, and one with further documents, of which the server reads the first alone."""
    for name, data in (("p.yaml", POLICY), ("a#b.yaml", POLICY), ("two.yaml", POLICY + b"---\n" + CONFIG_MAP)):
        (tmp_path / name).write_bytes(data)
        files = PolicyFiles()
        source = files.choose(name, tmp_path)
        assert source.path == source.file == tmp_path / name
        assert files.read(source.path) == data
        assert files.load(source.path, kubernetes="1.37", name=source.place.name).path == name


def test_a_place_in_a_file_is_chosen_by_its_name(tmp_path: Path) -> None:
    """With several policies in a file none is taken by chance: the error lists them."""
    (tmp_path / "two.yaml").write_bytes(CONFIG_MAP + b"  b.yaml: |\n    " + INDENTED)
    files = PolicyFiles()
    with pytest.raises(
        SourceError, match=r"2 audit policies are here; name one of them:\n  two.yaml#data.a.yaml\n  two"
    ):
        files.choose("two.yaml", tmp_path)
    policy = files.load_given("two.yaml#data.b.yaml", tmp_path, kubernetes="1.37")
    assert (policy.path, str(policy.rules[0].position)) == ("two.yaml#data.b.yaml", "two.yaml:13:7")
    with pytest.raises(SourceError, match=r"no audit policy is at data.c; there is:\n  two.yaml#data.a.yaml"):
        files.choose("two.yaml#data.c", tmp_path)
    (tmp_path / "p.yaml").write_bytes(POLICY)
    with pytest.raises(SourceError, match=r"no audit policy is inside this file, at data.c or elsewhere"):
        files.choose("p.yaml#data.c", tmp_path)


def test_standard_input_is_read_once_and_for_all_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Standard input can be read once only, so workers get what the controller read."""
    piped(monkeypatch, CONFIG_MAP)
    files = PolicyFiles()
    source = files.choose("-", tmp_path)
    assert source.place.name == "standard input#data.a.yaml"
    assert files.choose("-#data.a.yaml", tmp_path) == source
    run = RunDirectory.create()
    try:
        files.share(run)
        piped(monkeypatch, b"what a worker would read")
        worker = PolicyFiles(RunDirectory.open(str(run.path)))
        assert worker.choose("-", tmp_path) == source
        assert worker.read(source.path) == run.read_once(source.path) == POLICY
    finally:
        run.close()


def test_a_file_of_a_git_revision_is_that_of_the_revision(repository: Path) -> None:
    """The file in the work tree differs; a revision, HEAD and the index have the committed content."""
    files = PolicyFiles()
    for given in ("git:main:p.yaml", "git:HEAD:./p.yaml", "git::p.yaml"):  # the last one is of the index
        assert files.load_given(given, repository, kubernetes="1.37").text.encode() == POLICY
    inside = files.choose("git:main:cm.yaml#data.a.yaml", repository)
    assert (inside.given, inside.file, inside.ref) == ("git:main:cm.yaml#data.a.yaml", None, "main")
    assert files.load_given("p.yaml", repository, kubernetes="1.37").text.encode() != POLICY


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("git:main:none.yaml", "git:main:none.yaml:1:1: git cannot read it: path 'none.yaml' does not exist in 'main'"),
        ("git:none:p.yaml", "git cannot read it: invalid object name 'none'"),
        ("git:main", "is named git:REF:PATH"),
        ("git:--help:p.yaml", "is named git:REF:PATH"),
        ("none.yaml", "none.yaml:1:1: the policy cannot be read: No such file or directory"),
        ("none/*.yaml", "the policy cannot be read"),
        (".git", "no file in this folder holds an audit policy"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_name(repository: Path, given: str, says: str) -> None:
    with pytest.raises(SourceError) as refused:
        PolicyFiles().all(given, repository)
    assert says in str(refused.value)


def test_the_commit_of_a_policy_is_that_of_its_revision(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    changed, of_main = policy_state(repository / "p.yaml"), policy_state(None, "main")
    assert changed["commit"] == of_main["commit"]
    assert (changed["modified"], of_main["modified"]) == (True, False)
    assert policy_state(None) == {"commit": None, "modified": None}


def test_a_folder_is_searched_and_a_glob_is_what_a_shell_makes_of_it(tmp_path: Path) -> None:
    """A folder skips hidden files and files without a policy; a glob takes what it matches."""
    for name, data in (
        ("a/p.yaml", POLICY),
        ("a/cm.yml", CONFIG_MAP),
        ("a/other.yaml", b"kind: Namespace\n"),
        ("a/deep/er/p.json", b'{"apiVersion": "audit.k8s.io/v1"}'),
        ("a/.hidden/p.yaml", POLICY),
        ("a/notes.txt", POLICY),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    below = ["a/cm.yml#data.a.yaml", "a/p.yaml", "a/deep/er/p.json"]
    assert names("a", tmp_path) == below
    assert names("a/*.y*ml", tmp_path) == ["a/cm.yml#data.a.yaml", "a/other.yaml", "a/p.yaml"]
    with pytest.raises(SourceError, match=r"3 audit policies are here"):
        PolicyFiles().choose("a", tmp_path)
    assert PolicyFiles().choose("a/deep", tmp_path).given == "a/deep/er/p.json"


def test_a_configuration_that_names_a_path_is_followed_to_the_file_next_to_it(tmp_path: Path) -> None:
    """The path is one of the cluster's machine; the policy is usually kept next to the configuration."""
    config = tmp_path / "conf" / "config.yaml"
    config.parent.mkdir()
    config.write_text("kind: ClusterConfiguration\napiServer:\n  extraArgs: {audit-policy-file: /etc/k/audit.yaml}\n")
    files = PolicyFiles()
    with pytest.raises(PolicyRefused) as refused:
        files.load_given("conf/config.yaml", tmp_path, kubernetes="1.37")
    assert "config.yaml:3:34: the policy is the file /etc/k/audit.yaml; no audit.yaml is next to" in str(refused.value)
    (config.parent / "audit.yaml").write_bytes(POLICY)
    source = PolicyFiles().choose("conf/config.yaml", tmp_path)
    assert (source.given, source.file) == ("conf/audit.yaml", config.parent / "audit.yaml")


def test_a_later_document_is_a_policy_where_it_is_named_and_only_there(tmp_path: Path) -> None:
    """No API server reads it in that file: to take it without a word would prove a policy that no server runs."""
    (tmp_path / "two.yaml").write_bytes(b"kind: Namespace\n---\n" + POLICY)
    files = PolicyFiles()
    with pytest.raises(PolicyRefused, match=r"document 2 is a policy, but .* give it as two.yaml#2"):
        files.load_given("two.yaml", tmp_path, kubernetes="1.37")
    policy = files.load_given("two.yaml#2", tmp_path, kubernetes="1.37")
    assert (policy.path, policy.text, policy.rules[0].position.line) == ("two.yaml#2", f"---\n{POLICY.decode()}", 6)
