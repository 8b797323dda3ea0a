"""No secret gets into a report, wherever in an event it stands; and what is no secret stays readable."""

from __future__ import annotations

import base64
import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditproof.audit.redact import MAX_DEPTH, redact, redact_command, redact_failure, redact_text, removed_texts

CANARY = "canary-7f3a9c"
KEY = f"-----BEGIN EC PRIVATE KEY-----\n{CANARY}\n-----END EC PRIVATE KEY-----\n"
HEADER = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"k"}').decode().rstrip("=")
TOKEN = f"{HEADER}.eyJzdWIiOiJjYW5hcnkifQ.{CANARY}"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def event(body: Any, **fields: Any) -> dict[str, Any]:
    return {"kind": "Event", "auditID": "a-1", "level": "RequestResponse", "responseObject": body, **fields}


def shown(body: Any) -> str:
    return json.dumps(redact(event(body)))


def secret(**fields: Any) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": "db"}, **fields}


BODIES = {
    "a Secret's data": secret(data={"password": CANARY}),
    "a Secret's stringData": secret(stringData={"anything": CANARY}),
    "a ConfigMap's data": {"kind": "ConfigMap", "data": {"settings.ini": CANARY}},
    "a ConfigMap's binaryData": {"kind": "ConfigMap", "binaryData": {"blob": CANARY}},
    "a list of Secrets": {"kind": "SecretList", "items": [secret(), secret(data={"x": CANARY})]},
    "a table with objects": {"kind": "Table", "rows": [{"cells": ["db"], "object": secret(data={"x": CANARY})}]},
    "an applied annotation": {"metadata": {"annotations": {APPLIED: json.dumps(secret(stringData={"x": CANARY}))}}},
    "a merge patch": {"stringData": {"x": CANARY}},
    "a merge patch with an object for a value": {"data": {"x": {"y": CANARY}}},
    "a JSON patch": [{"op": "replace", "path": "/data/x", "value": CANARY}],
    "a JSON patch with a whole object": [{"op": "add", "path": "/data", "value": {"x": CANARY}}],
    "an issued token": {"kind": "TokenRequest", "status": {"token": CANARY, "expirationTimestamp": "2030"}},
    "a reviewed token": {"kind": "TokenReview", "spec": {"token": CANARY}},
    "a certificate request": {"kind": "CertificateSigningRequest", "spec": {"request": CANARY}},
    "an issued certificate": {"kind": "CertificateSigningRequest", "status": {"certificate": CANARY}},
    "a webhook's CA": {"webhooks": [{"clientConfig": {"caBundle": CANARY}}]},
    "credentials in a webhook's URL": {"webhooks": [{"clientConfig": {"url": f"https://me:{CANARY}@host/hook"}}]},
    "a token in a webhook's URL": {"webhooks": [{"clientConfig": {"url": f"https://{CANARY}@host/hook"}}]},
    "a container's environment": {"spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": CANARY}]}]}},
    "a probe's header": {"httpHeaders": [{"name": "Authorization", "value": CANARY}]},
    "a custom resource's apiKey": {"kind": "Gadget", "spec": {"login": {"apiKey": CANARY}}},
    "a custom resource's client_secret": {"kind": "Gadget", "spec": {"client_secret": CANARY}},
    "data beside a secret variable": {"name": "token", "value": "x", "data": {"x": CANARY}},
    "a key as text": {"spec": {"pem": KEY}},
    "a key that was cut off": {"spec": {"pem": KEY[:50]}},
    "a token as text": {"spec": {"args": [f"--auth={TOKEN}"]}},
    "a token after other words": {"message": f"see v1.{TOKEN} for more"},
    "a bearer header": {"message": f"Authorization: Bearer {CANARY}"},
    "a basic header": {"message": f"Authorization: Basic {CANARY}"},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_secret_is_gone_from_request_and_response(body: Any) -> None:
    assert CANARY in json.dumps(body)

    assert CANARY not in json.dumps(redact(event(body)))
    assert CANARY not in json.dumps(redact({"requestObject": body}))


@pytest.mark.parametrize("text", [KEY, TOKEN])
def test_a_key_or_token_in_base64_is_gone(text: str) -> None:
    assert encoded(text)[:24] not in shown({"spec": {"kubeconfigs": [encoded(text)]}})


@pytest.mark.parametrize("name", ["token", "access_token", "id_token", "api_key", "password"])
def test_a_secret_in_the_query_is_gone_and_the_rest_of_the_uri_stays(name: str) -> None:
    uri = f"/api/v1/pods?limit=5&{name}={CANARY}&watch=true"

    assert redact({"requestURI": uri})["requestURI"] == f"/api/v1/pods?limit=5&{name}=<redacted>&watch=true"


def test_a_token_is_gone_from_annotations_and_status_messages_too() -> None:
    outside = {
        "annotations": {"example/reason": f"token {TOKEN}"},
        "responseStatus": {"code": 401, "message": f"bearer {CANARY}"},
        "user": {"extra": {"x": [TOKEN]}},
    }

    assert CANARY not in json.dumps(redact(outside))


def test_of_a_value_its_size_and_the_beginning_of_its_hash_remain() -> None:
    """Two reports can be compared without the secret being in either."""
    redacted = redact(event(secret(data={"password": "c2VjcmV0"})))

    assert redacted["responseObject"]["data"] == {"password": "<redacted: 8 bytes, sha256 1c1185e0>"}


def test_equal_secrets_look_equal_and_other_ones_do_not() -> None:
    data = redact(event(secret(data={"a": "same", "b": "same", "c": "else"})))["responseObject"]["data"]

    assert data["a"] == data["b"] != data["c"]


def test_what_is_no_secret_stays_as_it_is() -> None:
    """Names, managedFields and empty values that only look like secrets must stay readable in a report."""
    harmless = {
        "kind": "Pod",
        "metadata": {
            "name": "web",
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:data": {"f:password": {}}, "f:token": {}}}],
        },
        "spec": {
            "automountServiceAccountToken": False,
            "serviceAccountName": "robot",
            "imagePullSecrets": [{"name": "pull"}],
            "volumes": [{"secret": {"secretName": "db"}}, {"projected": {"sources": [{"serviceAccountToken": {}}]}}],
            "containers": [{"image": "registry.invalid/web:1.2.3", "env": [{"name": "COLOUR", "value": "blue"}]}],
        },
        "data": {},
        "status": {"token": ""},
    }

    assert redact(event(harmless, annotations={"authorization.k8s.io/reason": 'RBAC: allowed by "x.y.z"'})) == event(
        harmless, annotations={"authorization.k8s.io/reason": 'RBAC: allowed by "x.y.z"'}
    )


def test_the_event_that_goes_in_is_not_changed() -> None:
    original = event([{"op": "add", "path": "/data", "value": {"x": CANARY}}], requestObject=secret(data={"x": CANARY}))
    before = copy.deepcopy(original)

    redact(original)

    assert original == before


def test_a_body_nested_without_end_is_cut_off() -> None:
    """A secret below the deepest level that is read must not get through unredacted."""
    deep: dict[str, Any] = {"data": {"x": CANARY}}
    for _ in range(900):
        deep = {"spec": deep}

    text = shown(deep)

    assert CANARY not in text
    assert f"nested deeper than {MAX_DEPTH} levels" in text


@pytest.mark.parametrize(
    "piece", ["-eyJaaaaa", "eyJ.", "a.b", "?&token", "-----BEGIN PRIVATE KEY-----", "bearer ", "https://a:", "LS0tLS1"]
)
def test_a_text_made_to_be_slow_is_not(piece: str) -> None:
    """A client chooses these texts: no pattern may take more than linear time on them."""
    text = piece * (1_000_000 // len(piece))
    begun = time.process_time()

    redact_text(text)

    assert time.process_time() - begun < 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
STEPS = st.lists(st.one_of(st.just(0), st.text(alphabet="abcdefghij/.-", min_size=1, max_size=9)), max_size=8)


@given(body=JSON)
def test_anything_that_is_json_is_redacted_to_json(body: Any) -> None:
    redacted = redact(event(body))

    assert json.loads(json.dumps(redacted)) == redacted


@given(steps=STEPS, field=st.sampled_from(["data", "stringData"]))
def test_a_secret_is_gone_at_any_place_of_any_body(steps: list[int | str], field: str) -> None:
    body: Any = secret(**{field: {"x": CANARY}})
    for step in steps:
        body = [body] if step == 0 else {step: body}

    assert CANARY not in shown(body)


@pytest.mark.parametrize(
    "words",
    [
        ["--token", CANARY],
        [f"--api-key={CANARY}"],
        ["-o", f"DB_PASSWORD={CANARY}"],
        [f"--env=DB_PASSWORD={CANARY}=="],
        ["--index", f"https://{CANARY}@host/simple"],
        ["--header", f"Authorization: Bearer {CANARY}"],
    ],
)
def test_a_secret_is_gone_from_a_command_line(words: list[str]) -> None:
    assert CANARY not in str(redact_command(["pytest", *words, "-v"]))
    assert redact_command(["pytest", *words, "-v"])[-1] == "-v"


def test_a_command_line_without_secrets_stays_as_it_is() -> None:
    words = ["run", "policies/token.yaml", "-k", "secret", "--audit-requirements=secrets-hygiene", "-m", "a or b"]
    assert redact_command(words) == words


@pytest.mark.parametrize("write", [repr, json.dumps, str])
def test_a_line_that_shows_a_secret_body_is_gone_from_a_failure(write: Any) -> None:
    """pytest shows parts of an event in a failed assertion, outside the report's own redaction."""
    found = event(secret(data={"p": encoded(CANARY * 20)}, stringData={"q": f'{CANARY}"\n{KEY}'}))
    lines = [f"E  AssertionError: assert 'x' not in {write(found)}", "E    where this stays"]

    shown = redact_failure("\n".join(lines), removed_texts(found))

    assert shown.splitlines()[-1] == "E    where this stays"
    assert encoded(CANARY)[:8] not in shown
    assert CANARY not in shown


@pytest.mark.parametrize("cut", [slice(0, 30), slice(-30, None)])
def test_a_value_that_was_cut_short_is_gone_too(cut: slice) -> None:
    """pytest abbreviates long values: the first or last letters are enough to hide the line."""
    value = encoded(CANARY * 20)
    shown = redact_failure(f"E  ...{value[cut]}...", removed_texts(event(secret(data={"p": value}))))
    assert value[cut] not in shown


def test_a_failure_without_secrets_stays_as_it_is() -> None:
    text = "def test_one():\n>       assert 1 == 2\nE       assert 1 == 2\n"
    assert redact_failure(text, removed_texts(event(secret(data={"p": "x", "q": encoded(CANARY)})))) == text


@given(body=JSON)
def test_what_is_removed_can_be_told_of_any_body(body: Any) -> None:
    assert all(isinstance(text, str) for text in removed_texts(event(body)))


EXEC = "/api/v1/namespaces/shop/pods/db/exec?container=c&command=mysql&command=-phunter2&stdin=true&command=--x%3Dy"


def test_the_arguments_of_a_command_go_and_the_program_stays() -> None:
    """kubectl exec sends each argument as a query parameter ``command``; passwords are among them."""
    hidden = EXEC.replace("-phunter2", "<redacted>").replace("--x%3Dy", "<redacted>")
    assert redact_text(EXEC) == hidden
    assert redact_text(f"GET {EXEC} and GET {EXEC}") == f"GET {hidden} and GET {hidden}"
    assert redact({"requestURI": EXEC}) == {"requestURI": hidden}
    assert redact_text("/x?command=ls") == "/x?command=ls"
    assert redact_text("/x?command=ls&command=") == "/x?command=ls&command=<redacted>"
