"""GitHub and GitLab: finds the comment with a marker on a pull or merge request, and replaces it, or adds it.

Sources: docs.github.com/rest/issues/comments and docs.gitlab.com/api/notes. Nothing is sent twice, and no redirect is
followed, because the token would go along. The standard library is enough for that.
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote

from auditproof.errors import AuditproofError
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT_S = 30.0
PAGE = 100  # comments that one request gets, the most that both give


@dataclass(frozen=True, slots=True)
class Host:
    """Where the comments of one pull or merge request are.

    ``comments`` is the URL of all of them, ``one`` that of a comment with ``{id}``, ``change`` the method that replaces
    it. ``needs`` is what a token needs to do so.
    """

    name: str
    comments: str
    one: str
    change: str
    needs: str
    headers: Mapping[str, str] = field(repr=False)

    def put(self, marker: str, text: str) -> str:
        """Replace the comment that begins with ``marker``, or add one; returns "updated" or "created".

        Raises AuditproofError if it cannot be reached, or does not let us.
        """
        for known in self._all():
            if str(known.get("body", "")).startswith(marker) and isinstance(known.get("id"), int):
                self._ask(self.change, self.one.format(id=known["id"]), {"body": text})
                return "updated"
        self._ask("POST", self.comments, {"body": text})
        return "created"

    def _all(self) -> Iterator[dict[str, Any]]:
        page, found = 1, PAGE
        while found == PAGE:
            answer = self._ask("GET", f"{self.comments}?per_page={PAGE}&page={page}")
            if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
                raise AuditproofError(f"{self.name} answered {self.comments} with something else than comments")
            yield from answer
            page, found = page + 1, len(answer)

    def _ask(self, method: str, url: str, body: dict[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"User-Agent": "auditproof", "Content-Type": "application/json", **self.headers}
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - see _base
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=TIMEOUT_S) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            hint = f"; the token needs {self.needs}" if error.code in (401, 403, 404) else ""
            said = printable(error.read(300).decode(errors="replace"))
            raise AuditproofError(f"{self.name} answered {error.code} to {method} {url}{hint}: {said}") from None
        except (OSError, ValueError) as error:
            raise AuditproofError(f"{self.name} cannot be asked by {method} {url}: {error}") from None


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def host_of(environment: Mapping[str, str]) -> Host | None:
    """The place for comments of this CI job; None if it is about no pull or merge request.

    Raises AuditproofError if a variable that the CI system sets, or the token, is missing.
    """
    if environment.get("GITHUB_ACTIONS"):
        return _github(environment)
    if environment.get("GITLAB_CI"):
        return _gitlab(environment)
    raise AuditproofError("comment: this is no job of GitHub Actions or GitLab CI (GITHUB_ACTIONS, GITLAB_CI)")


def _github(environment: Mapping[str, str]) -> Host | None:
    event = Path(_value(environment, "GITHUB_EVENT_PATH"))
    try:
        number = json.loads(event.read_text(encoding="utf-8")).get("pull_request", {}).get("number")
    except (OSError, ValueError, AttributeError) as error:
        raise AuditproofError(f"comment: {event}, the event of this job, cannot be read: {error}") from None
    if not isinstance(number, int):
        return None
    base = _base(environment.get("GITHUB_API_URL") or "https://api.github.com")
    issues = f"{base}/repos/{_value(environment, 'GITHUB_REPOSITORY')}/issues"
    return Host(
        "GitHub",
        f"{issues}/{number}/comments",
        f"{issues}/comments/{{id}}",
        "PATCH",
        "the permission `pull-requests: write`, which pull requests from forks do not get",
        {
            "Authorization": f"Bearer {_value(environment, 'GITHUB_TOKEN')}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )


def _gitlab(environment: Mapping[str, str]) -> Host | None:
    number = environment.get("CI_MERGE_REQUEST_IID", "")
    if not number.isdecimal():
        return None
    project = quote(_value(environment, "CI_PROJECT_ID"), safe="")
    notes = f"{_base(_value(environment, 'CI_API_V4_URL'))}/projects/{project}/merge_requests/{number}/notes"
    token = {"PRIVATE-TOKEN": _value(environment, "GITLAB_TOKEN")}
    return Host("GitLab", notes, f"{notes}/{{id}}", "PUT", "the scope api, and the role Reporter or higher", token)


def _base(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise AuditproofError(f"comment: {url!r} is no address of an API")
    return url.rstrip("/")


def _value(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise AuditproofError(f"comment: the environment variable {name} is not set")
    return value
