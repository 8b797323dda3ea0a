"""``auditproof comment``, against a server on loopback that stands in for GitHub's and GitLab's API."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from auditproof.cli.main import main
from auditproof.report.model import results_text
from tests.report.test_report import proof, report
from tests.support.comments_api import GITHUB, GITLAB, TOKEN, Api, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def api() -> Iterator[Api]:
    with served() as server:
        yield server


@pytest.fixture(params=["github", "gitlab"])
def ci(request: pytest.FixtureRequest, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A job about the pull request 3 of acme/cluster, or about a merge request."""
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"number": 3}}')
    url = f"http://127.0.0.1:{api.server_port}"
    variables = {
        "github": {
            "GITHUB_ACTIONS": "true", "GITHUB_API_URL": url, "GITHUB_REPOSITORY": "acme/cluster",
            "GITHUB_EVENT_PATH": str(event), "GITHUB_TOKEN": TOKEN,
        },
        "gitlab": {
            "GITLAB_CI": "true", "CI_API_V4_URL": url, "CI_PROJECT_ID": "7", "CI_MERGE_REQUEST_IID": "3",
            "GITLAB_TOKEN": TOKEN,
        },
    }  # fmt: skip
    for name in {name for some in variables.values() for name in some}:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables[request.param].items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results.json").write_text(results_text(report(proof("a"))))
    (tmp_path / "bad.json").write_text(results_text(report(proof("a", "VIOLATED"))))
    return str(request.param)


@pytest.mark.usefixtures("ci")
def test_there_is_one_comment_whatever_has_been_said_before(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """More than a page of other comments, in one of which somebody quotes it."""
    api.comments += [{"id": n + 1, "body": f"nice, {n}"} for n in range(120)]

    assert main(["comment", "results.json"]) == 0
    assert "comment created on " in capsys.readouterr().out
    api.comments.append({"id": 122, "body": f"> {api.comments[120]['body']}"})
    assert main(["comment", "bad.json", "--link", "https://ci.example.test/report"]) == 0
    assert "comment updated on " in capsys.readouterr().out

    assert len(api.comments) == 122
    first, head, *_ = (text := api.comments[120]["body"]).splitlines()
    assert first.startswith("<!-- auditproof ")
    assert head.startswith("## ❌ VIOLATED")
    assert text.endswith("\n[The whole report](https://ci.example.test/report)\n")


@pytest.mark.usefixtures("ci")
def test_an_answer_that_is_none_of_theirs_is_an_error_and_no_comment_without_an_id_is_replaced(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["comment", "results.json", "--print"])
    marker = capsys.readouterr().out.splitlines()[0]
    api.comments += [{"body": marker}, {"id": "../../secrets", "body": marker}]  # type: ignore[list-item]
    assert main(["comment", "results.json"]) == 0
    assert "comment created on " in capsys.readouterr().out
    api.comments[:] = ["text"]  # type: ignore[list-item]
    assert main(["comment", "results.json"]) == 4
    assert "with something else than comments" in capsys.readouterr().err


@pytest.mark.usefixtures("ci")
def test_each_policy_has_a_comment_of_its_own(api: Api, tmp_path: Path) -> None:
    other = results_text(report(proof("a"), policy={"path": "policies/stage.yaml"}))
    (tmp_path / "other.json").write_text(other)
    assert [main(["comment", name]) for name in ("results.json", "other.json", "results.json")] == [0, 0, 0]
    assert len(api.comments) == 2


@pytest.mark.parametrize(
    ("status", "said"), [(403, "403 to GET"), (404, "the token needs"), (302, "302"), (500, "500")]
)
def test_a_refusal_says_what_the_token_needs_and_sends_it_nowhere_else(
    status: int, said: str, ci: str, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api.status = status
    assert main(["comment", "results.json"]) == 4
    error = capsys.readouterr().err
    assert said in error
    assert TOKEN not in error
    assert api.asked == [f"GET {GITHUB}/3/comments" if ci == "github" else f"GET {GITLAB}"]
    if status == 403 and ci == "github":
        assert "the permission `pull-requests: write`, which pull requests from forks do not get" in error


@contextmanager
def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> Iterator[None]:
    with monkeypatch.context() as patch:
        for name in names:
            patch.delenv(name, raising=False)
        yield


def test_a_job_about_nothing_to_comment_on_sends_nothing(
    ci: str, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "event.json").write_text('{"ref": "refs/heads/main"}')
    with without(monkeypatch, "CI_MERGE_REQUEST_IID"):
        assert main(["comment", "results.json"]) == 0
    assert "no comment: this job is about no pull or merge request" in capsys.readouterr().out
    assert main(["comment", "results.json", "--print"]) == 0
    assert capsys.readouterr().out.startswith("<!-- auditproof ")
    assert (ci, api.asked) == (ci, [])


def test_what_is_missing_is_named(ci: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with without(monkeypatch, "GITHUB_TOKEN", "GITLAB_TOKEN"):
        assert main(["comment", "results.json"]) == 4
    assert f"the environment variable {ci.upper()}_TOKEN is not set" in capsys.readouterr().err
    with without(monkeypatch, "GITHUB_ACTIONS", "GITLAB_CI"):
        assert main(["comment", "results.json"]) == 4
    assert "this is no job of GitHub Actions or GitLab CI" in capsys.readouterr().err
    assert main(["comment", "results.json", "--link", "javascript:alert(1)"]) == 4
    assert "--link: 'javascript:alert(1)' is no plain URL" in capsys.readouterr().err


@pytest.mark.usefixtures("ci")
def test_a_long_comment_is_cut_at_a_line_and_keeps_its_link(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each host takes no more than a number of letters."""
    monkeypatch.setattr("auditproof.report.ci.comment.LONGEST", 500)
    assert main(["comment", "bad.json", "--link", "https://ci.example.test/report"]) == 0
    text = api.comments[0]["body"]
    assert len(text) <= 500
    assert text.endswith("|\n… the rest is in the report.\n\n[The whole report](https://ci.example.test/report)\n")
