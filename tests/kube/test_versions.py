"""Lists of Kubernetes versions, as users write them."""

from __future__ import annotations

import pytest

from auditproof.kube.discovery import minors
from auditproof.kube.versions import choose_versions, is_within


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("1.36", ("1.36",)),
        ("v1.36.3", ("1.36.3",)),
        ("1.37,1.34", ("1.34", "1.37")),
        (" 1.34 , 1.36 ", ("1.34", "1.36")),
        ("1.36,1.36,v1.36", ("1.36",)),
        ("1.35..1.37", ("1.35", "1.36", "1.37")),
        ("1.36..1.36", ("1.36",)),
        ("1.34,1.36..1.37", ("1.34", "1.36", "1.37")),
        ("all", minors()),
        ("all,1.36", minors()),
        ("1.9,1.10", ("1.9", "1.10")),
        ("1.33", ("1.33",)),
    ],
)
def test_versions_are_taken_once_each_and_oldest_first(text: str, versions: tuple[str, ...]) -> None:
    assert choose_versions(text) == versions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid version ''"),
        ("1.36,", "invalid version ''"),
        ("latest", "invalid version 'latest'"),
        ("al", "invalid version 'al'; did you mean all?"),
        ("1.3O", "invalid version '1.3O'; did you mean 1.3"),
        ("1.37..1.35", r"invalid range '1.37..1.35': it is empty \(write 1.35..1.37\)"),
        ("1.33..1.35", "invalid range '1.33..1.35': 1.33 is none of 1.34, 1.35"),
        ("1.35..1.99", "invalid range '1.35..1.99': 1.99 is none of"),
        ("1.35..", "invalid range '1.35..': an end is none of"),
        ("1.35.1..1.37", "1.35.1 is none of"),
        ("1.35..1.36..1.37", "1.36..1.37 is none of"),
        ("1.36,1.36.3", "1.36 and 1.36.3 are of the same minor version: name one of them"),
        ("all,1.36.3", "1.36 and 1.36.3 are of the same minor version"),
        ("1.36 1.37", "invalid version '1.36 1.37'"),
    ],
)
def test_a_list_that_says_nothing_definite_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_versions(text)


@pytest.mark.parametrize(
    ("kubernetes", "since", "until", "within"),
    [
        ("1.36.3", "", "", True),
        ("1.36.3", "1.36", "1.36", True),
        ("1.9", "1.10", "", False),
        ("1.10", "", "1.9", False),
        ("v1.35", "1.34", "1.36", True),
    ],
)
def test_a_patch_release_is_within_the_limits_of_its_minor(
    kubernetes: str, since: str, until: str, within: bool
) -> None:
    """``until: 1.36`` includes 1.36.3, although 1.36.3 is the greater version."""
    assert is_within(kubernetes, since, until) is within
