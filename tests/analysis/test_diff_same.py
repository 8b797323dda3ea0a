"""Two policies that diff calls the same decide every request alike, the odd ones included."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from auditproof.analysis.diff import changed, diff
from auditproof.audit.decide import decide
from auditproof.audit.effect import effect_of
from auditproof.kube.discovery import load_served
from tests.support.properties import examples
from tests.support.random_policies import LEVELS, documents, every_request, read, users

SERVED = load_served("1.37")
USERS = [user for user, _ in users()]
REQUESTS = every_request()
ASKED = 2000  # requests a pair of policies
LITERAL: list[dict[str, Any]] = [
    {"users": ["*"]},
    {"userGroups": ["*"]},
    {"namespaces": ["*", "Shop %"]},
    {"verbs": ["*", "propfind"], "nonResourceURLs": ["*"]},
    {"resources": [{"group": "*", "resources": ["*/*", "pods*", ""]}]},
    {"verbs": ["list"], "resources": [{"resources": ["pods/log"]}]},
]


@st.composite
def twins(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A policy, and the same with a few rules moved, repeated or dropped: often that changes nothing."""
    document = draw(documents())
    rules = list(document["rules"])
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(rules) - 1))
        step = draw(st.sampled_from(["move", "repeat", "drop", "shorten", "literal"]))
        if step == "move":
            rules.insert(draw(st.integers(0, len(rules) - 1)), rules.pop(place))
        elif step == "repeat":
            rules.insert(draw(st.integers(place, len(rules))), rules[place])
        elif step == "literal":
            level = draw(st.sampled_from(LEVELS))
            rules.insert(place, {"level": level, **draw(st.sampled_from(LITERAL))})
        elif step == "drop" and len(rules) > 1:
            del rules[place]
        else:
            key = draw(st.sampled_from(["users", "userGroups", "verbs", "namespaces", "nonResourceURLs"]))
            if len(rules[place].get(key, ())) > 1:
                rules[place] = rules[place] | {key: rules[place][key][1:]}
    return document, document | {"rules": rules}


@examples(25)
@given(twins(), st.integers(0, 2**32))
def test_what_diff_calls_the_same_is_decided_alike(pair: tuple[dict[str, Any], dict[str, Any]], seed: int) -> None:
    old, new = (read(document) for document in pair)
    assume(not any(change for _, change in changed(old, new, SERVED)[1]))

    assert diff(old, new, SERVED).differences == ()
    random = Random(seed)
    for request, user in zip(random.choices(REQUESTS, k=ASKED), random.choices(USERS, k=ASKED), strict=True):
        asked = replace(request, user=user)
        before, after = (effect_of(decide(policy, asked), failed=user is None) for policy in (old, new))
        assert before == after, asked
