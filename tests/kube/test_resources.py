"""The table of built-in resources, and the URLs that are made of it."""

from __future__ import annotations

import pytest

from auditproof.kube.attributes import attributes_of
from auditproof.kube.discovery import from_record, load_served, minors, to_record
from auditproof.kube.resources import RESOURCES, Resource, UnknownResource, lookup, resource_of, split_resource


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda r: f"{r.plural}.{r.group}")
def test_every_path_is_read_back_by_the_server_as_it_was_meant(resource: Resource) -> None:
    """For every built-in resource: the path, parsed as the server does, gives its parts back."""
    namespace = "shop" if resource.namespaced else ""

    attributes = attributes_of("GET", resource.path(namespace, "web", "status"), None)

    assert attributes.resource_request
    assert (attributes.api_group, attributes.api_version) == (resource.group, resource.version)
    assert (attributes.resource, attributes.name, attributes.subresource) == (resource.plural, "web", "status")
    assert attributes.namespace == (namespace if resource.plural != "namespaces" else "web")


def test_a_plural_alone_finds_the_first_group_that_has_it() -> None:
    """``events`` is in two groups, of which the core group comes first."""
    assert lookup("deployments").api_version == "apps/v1"
    assert lookup("events").api_version == "v1"
    assert lookup("events.events.k8s.io").api_version == "events.k8s.io/v1"


def test_an_unknown_resource_is_answered_with_the_one_that_may_be_meant() -> None:
    with pytest.raises(UnknownResource, match=r"did you mean deployments\.apps\?"):
        lookup("deployment.apps")
    with pytest.raises(UnknownResource, match="also needs version:"):
        lookup("widgets.example.auditproof.dev")
    with pytest.raises(UnknownResource):
        lookup("pods.apps")


def test_path_segments_are_escaped_as_go_escapes_them() -> None:
    """The paths are those that client-go sends (url.PathEscape)."""
    assert lookup("clusterroles").path(name="system:node").endswith("/clusterroles/system:node")
    assert lookup("pods").path("shop", "a/b c%").endswith("/pods/a%2Fb%20c%25")
    assert lookup("pods").path("shop", "web", "proxy/a b").endswith("/pods/web/proxy/a%20b")


def test_a_namespace_is_left_out_of_cluster_scoped_paths() -> None:
    assert lookup("nodes").path("shop", "n1") == "/api/v1/nodes/n1"


def test_a_manifest_is_matched_by_group_version_and_kind() -> None:
    assert resource_of({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}).plural == "roles"
    with pytest.raises(UnknownResource, match="apps/v2 Deployment"):
        resource_of({"apiVersion": "apps/v2", "kind": "Deployment"})


def test_a_resource_text_splits_into_group_resource_and_subresource() -> None:
    assert split_resource("deployments/scale") == ("apps", "deployments", "scale")
    assert split_resource("widgets.example.com") == ("example.com", "widgets", "")


def test_a_built_in_resource_is_served_alike_by_every_supported_kubernetes() -> None:
    """Version, kind and scope are those of the newest minor; a server of an older one must take the same URL."""
    for minor in minors():
        served = {
            (entry.group, entry.resource): entry for entry in load_served(minor).resources if not entry.subresource
        }
        for key, resource in RESOURCES.items():
            found = served[key]
            assert (found.version, found.kind, found.namespaced) == (
                resource.version,
                resource.kind,
                resource.namespaced,
            ), (minor, key)


def test_kinds_are_those_of_the_objects_that_a_resource_takes() -> None:
    kinds = {entry.full_name: entry.kind for entry in load_served("1.37").resources}

    assert (kinds["pods"], kinds["pods/eviction"], kinds["deployments/scale"]) == ("Pod", "Eviction", "Scale")


def test_what_is_served_survives_its_record() -> None:
    for minor in minors():
        assert from_record(to_record(load_served(minor))) == load_served(minor)
