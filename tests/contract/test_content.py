"""The content of the project holds together: every sentence of every suite agrees with its policy, and can fail."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.decide import decide
from auditproof.audit.event import Level
from auditproof.audit.policy.load import load_policy
from auditproof.audit.stages import emitted_stages
from auditproof.cases.load import load_case_file
from auditproof.clusters.profile import load_profile
from auditproof.content import root
from auditproof.errors import PolicyRefused
from auditproof.kube.attributes import attributes_of
from auditproof.kube.discovery import load_served, minors
from auditproof.kube.versions import DEFAULT_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import Case, CaseFile

FILES = tuple(load_case_file(path) for path in sorted((root() / "suites").rglob("*.audit.yaml")))
STANDARD = [file for file in FILES if file.policy is None]
WITH_POLICY = [file for file in FILES if file.policy is not None]
POLICIES = sorted((root() / "fixtures" / "policies").rglob("*.yaml"))
MINORS = minors()
SINCE = {file.policy: file.since for file in WITH_POLICY if file.since}
ODD = root() / "fixtures" / "policies" / "lenient.yaml"  # what is odd in it is its subject


def _recorded(policy: Policy, case: Case) -> tuple[Level, frozenset[Stage]]:
    """Level and stages at which the log of a server with ``policy`` shows the case's action."""
    attributes = attributes_of(case.request.method, case.request.uri, case.identity.user_info())
    decision = decide(policy, attributes)
    if decision.level is Level.NONE:
        return Level.NONE, frozenset()
    return decision.level, emitted_stages(attributes, case.expectation.status or 200) - decision.omit_stages


def _policy(path: Path | None) -> Policy:
    assert path is not None
    return load_policy(path)


@pytest.mark.parametrize("file", WITH_POLICY, ids=lambda file: file.path.stem)
@pytest.mark.parametrize("minor", MINORS)
def test_every_stated_level_and_stage_is_what_the_policy_decides(file: CaseFile, minor: str) -> None:
    policy = _policy(file.policy)

    for case in (case.on(minor) for case in file.cases):
        level, stages = _recorded(policy, case)
        assert case.expectation.level in (None, level), case.id
        assert case.expectation.stages in (None, stages), case.id


@pytest.mark.parametrize("file", WITH_POLICY, ids=lambda file: file.path.stem)
def test_every_case_of_a_policy_of_ours_states_a_level(file: CaseFile) -> None:
    assert [case.id for case in file.cases if case.expectation.level is None] == []


@pytest.mark.parametrize("file", WITH_POLICY, ids=lambda file: file.path.stem)
def test_the_twin_that_is_broken_on_purpose_violates_a_third_of_the_cases(file: CaseFile) -> None:
    policy, twin = _policy(file.policy), _policy(file.sabotage)

    violated = [case.id for case in file.cases if _recorded(policy, case) != _recorded(twin, case)]

    assert len(violated) * 3 >= len(file.cases), f"only {violated} of {len(file.cases)}"


@pytest.mark.parametrize("file", STANDARD, ids=lambda file: file.path.stem)
def test_the_standard_actions_leave_level_and_stages_to_the_policy(file: CaseFile) -> None:
    stated = [
        case.id for case in file.cases if case.expectation.level is not None or case.expectation.stages is not None
    ]

    assert stated == []


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("path", POLICIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_policy_is_loaded_without_a_warning_by_every_supported_version(path: Path, minor: str) -> None:
    if minor < SINCE.get(path, ""):
        with pytest.raises(PolicyRefused):
            load_policy(path, kubernetes=minor)
    else:
        assert path == ODD or load_policy(path, kubernetes=minor).warnings == ()


def test_every_minor_version_has_its_servers_and_its_record() -> None:
    """A version is a folder in clusters/embedded and an entry of discovery.json, which `make served` writes."""
    modules = sorted((root() / "clusters" / "embedded").glob("*/kube-apiserver/go.mod"))
    required = (re.search(r"k8s\.io/kubernetes v(\S+)", module.read_text()) for module in modules)
    built = {module.parts[-3]: found and found[1] for module, found in zip(modules, required, strict=True)}

    assert built == {minor: load_served(minor).kubernetes[1:] for minor in MINORS}, "run make served"
    assert all((module.parents[1] / "etcd" / "go.sum").is_file() for module in modules)
    assert all(version and version.startswith(f"{minor}.") for minor, version in built.items())


def test_the_newest_minor_version_is_the_default_everywhere() -> None:
    profiles = [load_profile(path.stem) for path in (root() / "clusters").glob("*.yaml")]

    assert {DEFAULT_VERSION, *(profile.kubernetes for profile in profiles)} == {MINORS[-1]}


def test_there_are_few_policies_because_each_costs_a_server() -> None:
    assert len({file.policy for file in WITH_POLICY}) <= 12


def test_every_rule_of_the_baseline_decides_a_case() -> None:
    baseline = root() / "fixtures" / "policies" / "baseline.yaml"
    policy = load_policy(baseline)
    cases = [case for file in WITH_POLICY if file.policy == baseline for case in file.cases]
    decisions = [
        decide(policy, attributes_of(case.request.method, case.request.uri, case.identity.user_info()))
        for case in cases
    ]

    deciding = {decision.rule.index for decision in decisions if decision.rule is not None}

    assert deciding == {rule.index for rule in policy.rules}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.stem)
def test_what_a_case_destroys_or_creates_is_its_own(file: CaseFile) -> None:
    """Any subset in any order: no two cases of a file make or remove the same object, unless nothing comes of it."""
    changing = [
        attributes_of(case.request.method, case.request.uri, None)
        for case in file.cases
        if case.expectation.status in (200, 201) and "dryRun" not in case.request.uri
    ]
    removed = Counter(
        (attributes.namespace, attributes.resource, attributes.name)
        for attributes in changing
        if attributes.verb == "delete" or attributes.subresource == "eviction"
    )

    assert [target for target, count in removed.items() if count > 1] == []


def test_no_two_files_share_a_namespace() -> None:
    """Files of one policy run on one server, beside each other: what is in a namespace belongs to one file."""
    owners: dict[str, set[str]] = {}
    for file in FILES:
        manifests = [manifest for case in file.cases for manifest in case.given]
        for manifest in manifests:
            if manifest["kind"] == "Namespace":
                owners.setdefault(manifest["metadata"]["name"], set()).add(file.path.name)

    assert {name: files for name, files in owners.items() if len(files) > 1} == {}


def test_nobody_who_must_have_no_rights_gets_rights_elsewhere() -> None:
    """Rights are a user's, on the whole server: a user without rights in one file must have none in any other."""
    without = {case.identity.user for file in FILES for case in file.cases if case.identity.without_rights}
    with_rights = {case.identity.user for file in FILES for case in file.cases if not case.identity.without_rights}
    asked = {
        case.identity.impersonates.user
        for file in FILES
        for case in file.cases
        if case.identity.impersonates is not None
    }

    assert without & (with_rights | asked) == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.stem)
def test_who_is_impersonated_by_users_without_rights_gets_them_from_the_file(file: CaseFile) -> None:
    """A case is provable alone: it must not need the rights that another case of its file is given."""
    bound = {
        one["name"] if one["kind"] == "User" else f"system:serviceaccount:{one['namespace']}:{one['name']}"
        for given in file.given
        for one in given.get("subjects", ())
    }
    for case in file.cases:
        asked = case.identity.impersonates
        if asked is not None and case.identity.without_rights and (case.expectation.status or 0) < 300:
            named = asked.user in bound or "system:nodes" in (asked.groups or ()) or ":node:" in asked.user
            assert case.expectation.status is None or named, case.id


def test_every_verb_is_there_and_enough_sentences() -> None:
    verbs = {attributes_of(case.request.method, case.request.uri, None).verb for file in FILES for case in file.cases}

    assert verbs >= {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "head", ""}
    assert sum(len(file.cases) for file in FILES) >= 170
