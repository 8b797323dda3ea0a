"""suites/resources is what its generator writes, and asks for every verb of every resource."""

from __future__ import annotations

from auditproof.cases.load import load_case_file
from auditproof.kube.attributes import attributes_of
from auditproof.kube.discovery import load_served
from tools.catalogue import FOLDER, KUBERNETES, suites


def test_the_suites_are_those_that_are_generated() -> None:
    assert {path: path.read_text() for path in FOLDER.glob("*.audit.yaml")} == suites()


def test_every_verb_of_every_resource_is_asked_for_once() -> None:
    asked = []
    for path in sorted(FOLDER.glob("*.audit.yaml")):
        for case in load_case_file(path).cases:
            seen = attributes_of(case.request.method, case.request.uri, case.identity.user_info())
            asked.append((seen.api_group, seen.resource, seen.subresource, seen.verb))

    served = load_served(KUBERNETES).resources
    assert sorted(asked) == sorted((e.group, e.resource, e.subresource, verb) for e in served for verb in e.verbs)
