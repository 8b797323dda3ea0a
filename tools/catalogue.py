"""Writes suites/resources/: a case for every verb of every resource that an API server serves. ``make catalogue``.

Nothing is kept and nothing is hit: what is read, changed or deleted by name is not there, what is created is a dry run,
and what is deleted as a collection is a dry run on objects that carry a label that nothing carries.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

from auditproof import content
from auditproof.kube.attributes import METHODS
from auditproof.kube.discovery import load_served
from auditproof.kube.minimal_objects import minimal_body
from auditproof.kube.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from auditproof.kube.discovery import ServedResource

FOLDER = content.root() / "suites" / "resources"
KUBERNETES = "1.37"
LABEL = "labelSelector=auditproof%3Dnobody"
HEAD = """\
# Written by `make catalogue` out of what Kubernetes {kubernetes} serves; change tools/catalogue.py instead.
apiVersion: auditproof/v1
kind: CaseFile
title: Every verb of every resource of {group}
identities:
  alice: {{user: alice, groups: [developers]}}
given:
  - {{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}
cases:
"""
SENTENCES = {
    "get": "A user reads {one} that is not there",
    "list": "A user lists {all}",
    "watch": "A user watches {all}",
    "create": "A user creates {one}, as a dry run",
    "update": "A user replaces {one} that is not there",
    "patch": "A user patches {one} that is not there",
    "delete": "A user deletes {one} that is not there",
    "deletecollection": "A user deletes all {all} with a label, as a dry run",
}


def suites() -> dict[Path, str]:
    """The files, by their path."""
    resources = sorted(load_served(KUBERNETES).resources, key=lambda served: served.group)
    return {
        FOLDER / f"{_slug(group) or 'core'}.audit.yaml": _suite(group, list(served))
        for group, served in groupby(resources, key=lambda served: served.group)
    }


def _suite(group: str, resources: Iterable[ServedResource]) -> str:
    namespace = f"res-{_slug(group) or 'core'}"
    head = HEAD.format(kubernetes=KUBERNETES, group=group or "the core group", namespace=namespace)
    return head + "".join(line for served in resources for line in _cases(served, namespace))


def _cases(served: ServedResource, namespace: str) -> Iterator[str]:
    for verb in sorted(served.verbs, key=list(SENTENCES).index):
        name = "-".join(filter(None, [verb, served.version.removeprefix("v1"), served.resource, served.subresource]))
        title = json.dumps(SENTENCES[verb].format(one=_one(served), all=served.resource))
        do = _do(served, verb, namespace)
        yield f"  - {{id: {name}, title: {title}, as: alice, do: {{{do}}}{_expect(served)}}}\n"


def _expect(served: ServedResource) -> str:
    """A service that is not there is answered 503, which could come from elsewhere if the case did not expect it."""
    return ", expect: {status: 503}" if served.full_name == "services/proxy" else ""


def _one(served: ServedResource) -> str:
    return f"{served.subresource} of one of {served.resource}" if served.subresource else f"one of {served.resource}"


def _do(served: ServedResource, verb: str, namespace: str) -> str:
    request = f'request: "{METHODS.get(verb, "GET")} {_path(served, verb, namespace)}"'
    if verb not in ("create", "update", "patch"):
        return request
    body = {} if verb == "patch" else _new(served) if verb == "create" else {"metadata": {"name": "nobody"}}
    kind = "application/merge-patch+json" if verb == "patch" else "application/json"
    return f"{request}, body: {json.dumps(json.dumps(body))}, contentType: {kind}"


def _new(served: ServedResource) -> dict[str, Any]:
    """What is created: an object that the server accepts, where one is known for its kind."""
    known = RESOURCES.get((served.group, served.resource))
    body = minimal_body(known.kind if known else "", served.subresource)
    metadata = {"name": "nobody"} if served.subresource else {"generateName": "res-", **body.get("metadata", {})}
    return {**body, "metadata": metadata}


def _path(served: ServedResource, verb: str, namespace: str) -> str:
    root = f"/apis/{served.group}/{served.version}" if served.group else f"/api/{served.version}"
    within = f"/namespaces/{namespace}" if served.namespaced else ""
    collection = f"{root}{within}/{served.resource}"
    if served.subresource:
        return f"{collection}/nobody/{served.subresource}"
    return {
        "list": f"{collection}?limit=1",
        "watch": f"{collection}?watch=1&timeoutSeconds=1",
        "create": f"{collection}?dryRun=All",
        "deletecollection": f"{collection}?dryRun=All&{LABEL}",
    }.get(verb, f"{collection}/nobody")


def _slug(group: str) -> str:
    return group.removesuffix(".k8s.io").replace(".", "-")


def main() -> None:
    """Write every file, and remove what is no longer one."""
    FOLDER.mkdir(exist_ok=True)
    written = suites()
    for path in FOLDER.glob("*.audit.yaml"):
        if path not in written:
            path.unlink()
    for path, text in written.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
