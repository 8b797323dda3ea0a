"""Policies inside other documents: their text byte for byte, and the places of its lines in the file."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from auditproof.analysis.lint import examine
from auditproof.audit.policy.load import parse_policy
from auditproof.audit.policy.place import Place
from auditproof.audit.policy_sources.advice import TEMPLATES, template_of, with_advice
from auditproof.audit.policy_sources.documents import MOST_BYTES
from auditproof.audit.policy_sources.find import MOST_UNPACKED, WORTH, decoded, embedded, is_policy
from auditproof.audit.policy_sources.named_paths import named_paths
from auditproof.errors import PolicyRefused
from auditproof.kube.discovery import load_served

FILES = Path(__file__).parent / "files"
PLAIN = (FILES / "plain.yaml").read_bytes()
HOLDERS = sorted(path for path in FILES.iterdir() if embedded(path.read_bytes(), path.name))


STATIC_POD = """
spec:
  containers:
  - command: [kube-apiserver, --audit-policy-file=/etc/a/audit.yaml]
    volumeMounts: [{name: a, mountPath: /etc/a}]
  volumes: [{name: a, hostPath: {path: /srv/a}}]
"""


def the_only(data: bytes, name: str = "file.yaml") -> tuple[bytes, Place]:
    (one,) = embedded(data, name)
    return one.data, one.place


@pytest.mark.parametrize("path", HOLDERS, ids=lambda path: path.name)
def test_the_text_of_a_policy_is_what_was_put_in(path: Path) -> None:
    """k0rdent's has its apiVersion and kind behind it, and a block with |- no line break at its end."""
    for one in embedded(path.read_bytes(), path.name):
        head, body = b"apiVersion: audit.k8s.io/v1\nkind: Policy\n", one.data.removeprefix(b"---\n")
        body = head + body.removesuffix(head) if path.name == "k0rdent.yaml" else body
        assert body.rstrip(b"\n") == PLAIN.rstrip(b"\n"), one.place.name


@pytest.mark.parametrize("path", HOLDERS, ids=lambda path: path.name)
def test_each_line_of_a_literal_text_is_found_at_its_place_in_the_file(path: Path) -> None:
    """A finding in an embedded policy must point at the line that the user can edit."""
    lines = path.read_text().split("\n")
    for one in embedded(path.read_bytes(), path.name):
        policy = parse_policy(one.data, one.place)
        inner = one.data.decode().splitlines()
        for number, text in enumerate(inner, 1) if one.place.is_literal else ():
            where = one.place.at(number, 1)
            if path.name != "k0rdent.yaml" or number <= len(inner) - 2:
                assert lines[where.line - 1][where.column - 1 :] == text, (where, text)
        for rule in policy.rules:
            file = path.name if one.place.is_literal else one.place.name
            text = lines[rule.position.line - 1] if one.place.is_literal else inner[rule.position.line - 1]
            assert rule.position.path == file
            assert text[rule.position.column - 1 :].startswith("level: ")


@pytest.mark.parametrize("path", [path for path in FILES.iterdir() if path not in HOLDERS], ids=lambda path: path.name)
def test_what_is_itself_a_policy_or_holds_none_is_not_looked_into(path: Path) -> None:
    assert not embedded(path.read_bytes(), path.name)


@pytest.mark.parametrize(
    ("text", "inside", "literal"),
    [
        ("p: |2\n    apiVersion: audit.k8s.io/v1\n", "  apiVersion: audit.k8s.io/v1\n", True),
        ("p: &x !!str |+\n  apiVersion: audit.k8s.io/v1\n\n", "apiVersion: audit.k8s.io/v1\n\n", True),
        ('p: \'{"apiVersion": "audit.k8s.io/v1"}\'\n', '{"apiVersion": "audit.k8s.io/v1"}', True),
        ('p: "apiVersion: audit.k8s.io/v1\\n\\\n  kind: Policy\\n\\\n  \\  \\n"\n', None, True),
        ('p: "apiVersion: audit.k8s.io/v1\\nkind: Policy\\n"\n', "apiVersion: audit.k8s.io/v1\nkind: Policy\n", False),
        ("p: 'apiVersion: audit.k8s.io/v1\n\n  kind: Policy'\n", "apiVersion: audit.k8s.io/v1\nkind: Policy", False),
        ("p: {apiVersion: audit.k8s.io/v1, kind: Policy}\n", None, False),
        (
            "p:\n  apiVersion: audit.k8s.io/v1\n  rules: &r []\nq: *r\n",
            "apiVersion: audit.k8s.io/v1\nrules: &r []\n",
            True,
        ),
        ("r: &r []\np:\n  apiVersion: audit.k8s.io/v1\n  rules: *r\n", None, False),
        ("p:\r\n  apiVersion: audit.k8s.io/v1\r\n", "apiVersion: audit.k8s.io/v1\n", True),
        ('{"p": "apiVersion: audit.k8s.io/v1\\nrules: []"}', "apiVersion: audit.k8s.io/v1\nrules: []", False),
    ],
)
def test_how_a_text_is_written_decides_whether_its_lines_are_those_of_the_file(
    text: str, inside: str | None, literal: bool
) -> None:
    """Escapes and folding move characters: then no place in the file is claimed."""
    data, place = the_only(text.encode())
    assert place.is_literal is literal
    if inside is not None:
        assert data.decode() == inside
    for number, line in enumerate(data.decode().splitlines(), 1) if literal else ():
        where = place.at(number, 1)
        assert text.replace("\r\n", "\n").split("\n")[where.line - 1][where.column - 1 :].startswith(line)


def test_a_problem_in_a_text_that_is_not_literal_is_inside_its_place() -> None:
    """In base64 there is no line of the file: the position counts within the decoded text."""
    data, place = the_only(
        b"kind: Secret\napiVersion: v1\ndata:\n  p: " + base64.b64encode(b"apiVersion: audit.k8s.io/v1")
    )
    with pytest.raises(PolicyRefused) as refused:
        parse_policy(data, place)
    assert str(refused.value.problems[0].position) == "file.yaml#data.p:1:1"
    assert (place.holder.line, place.holder.column) == (4, 6)


def test_a_comment_in_a_literal_text_suppresses_a_finding_of_its_own_line_alone() -> None:
    """Lines of findings and of comments are both those of the file."""
    policy = PLAIN.decode().replace("omitStages: [RequestReceived]\n", "")
    ignored = policy.replace("\n  - level", "\n  # auditproof: ignore AP504 because it is wanted\n  - level", 1)
    for text, codes in ((policy, ["AP504"]), (ignored, [])):
        data, place = the_only(b"a: 1\np: |\n" + "".join(f"    {line}\n" for line in text.splitlines()).encode())
        found = examine(parse_policy(data, place), load_served("1.37"))
        assert [one.code for one in found.findings if one.code in ("AP504", "AP702")] == codes
        assert {one.position.path for one in found.findings} <= {"file.yaml"}


def test_an_unknown_key_in_a_literal_text_is_found_at_its_place() -> None:
    data, place = the_only(
        b"p: |\n    apiVersion: audit.k8s.io/v1\n    kind: Policy\n    rules:\n    - level: None\n      verb: [get]\n"
    )
    found = examine(parse_policy(data, place), load_served("1.37")).findings
    assert "file.yaml:6:7" in [str(one.position) for one in found if one.code == "AP101"]


def test_a_policy_in_a_text_in_a_text_is_found_with_lines_of_the_file() -> None:
    data, place = the_only(
        b"a: 1\npatch: |\n  cluster:\n    apiServer:\n      auditPolicy:\n        apiVersion: audit.k8s.io/v1\n"
    )
    assert place.name == "file.yaml#patch#cluster.apiServer.auditPolicy"
    assert data == b"apiVersion: audit.k8s.io/v1\n"
    assert (place.at(1, 1).line, place.at(1, 1).column) == (6, 9)


def test_a_policy_with_an_error_is_still_one_by_its_apiversion() -> None:
    """The error is then shown in its place, instead of that no policy was found."""
    data, place = the_only(
        b"apiVersion: v1\nkind: ConfigMap\ndata:\n  p: |\n    apiVersion: audit.k8s.io/v1\n    rules: [\n"
    )
    with pytest.raises(PolicyRefused, match=r"file\.yaml:7:5: not valid YAML"):
        parse_policy(data, place)


@pytest.mark.parametrize("shift", range(3))
def test_base64_is_known_at_any_alignment(shift: int) -> None:
    """The search for ``audit.k8s.io`` in base64 needs all three encodings of the word."""
    text = base64.b64encode(b"\n" * shift + b"apiVersion: audit.k8s.io/v1beta1").decode()
    assert WORTH.search(text)
    assert not WORTH.search(base64.b64encode(b"apiVersion: apps/v1 and more").decode())


def test_what_cannot_be_decoded_is_nothing() -> None:
    """Wrong encodings, cut archives and archives that unpack to too much are not candidates, and raise nothing."""
    packed = gzip.compress(PLAIN, mtime=0)
    assert decoded(base64.b64encode(packed).decode(), "gzip+base64") == PLAIN
    for text, encoding in (
        ("not base64!", "base64"),
        (base64.b64encode(PLAIN).decode(), "gzip+base64"),
        (base64.b64encode(packed[:-9]).decode(), "gz+b64"),
        (base64.b64encode(gzip.compress(b" " * (MOST_UNPACKED + 1), mtime=0)).decode(), "gz+b64"),
        ("text", "rot13"),
        ("text", "gzip"),
    ):
        assert decoded(text, encoding) is None, encoding


def test_a_huge_file_is_not_looked_into() -> None:
    """Looking inside a file is bounded by its size."""
    assert not embedded(b"a: 1\n" * (MOST_BYTES // 5 + 1), "huge.yaml")


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_a_policy_of_any_version_is_a_policy_itself(version: str) -> None:
    """A removed version is refused with what to write, instead of being searched for embedded policies."""
    data = f"apiVersion: audit.k8s.io/{version}\nkind: Policy\nrules:\n- level: None\n".encode()
    assert is_policy(data, "p.yaml")
    if version != "v1":
        with pytest.raises(
            PolicyRefused, match=rf"1:13: audit\.k8s\.io/{version} was removed in Kubernetes 1\.24: write"
        ):
            parse_policy(data, "p.yaml")


@pytest.mark.parametrize(
    ("text", "name", "language"),
    [
        ("level: {{ .Values.level }}", "p.yaml", "Helm"),
        ('{{- include "audit.policy" . }}', "p.yaml", "Helm"),
        ("{% if strict %}\nlevel: None\n{% endif %}", "p.yaml", "Jinja"),
        ("level: {{ audit_level }}", "p.yaml.j2", "Jinja"),
        ("level: ${var.level}", "p.yaml", "Terraform"),
        ("%{ if strict }\n%{ endif }", "p.yaml.tftpl", "Terraform"),
        ("level: ${AUDIT_LEVEL}", "p.yaml", "envsubst"),
        ("level: $AUDIT_LEVEL", "p.yaml", "envsubst"),
        ("# the price is $PRICE\nlevel: None", "p.yaml", None),
        ("level: None", "p.yaml", None),
    ],
)
def test_a_template_is_known_by_its_signs(text: str, name: str, language: str | None) -> None:
    found = template_of(text, name)
    assert (found.name if found else None) == language


def test_a_template_that_is_refused_comes_with_the_way_to_render_it() -> None:
    """The advice comes first and the server's own message stays unchanged."""
    for template in TEMPLATES:
        assert "auditproof lint -" in template.render
    data = (FILES / "chart.yaml.tpl").read_bytes()
    with pytest.raises(PolicyRefused) as refused:
        parse_policy(data, "chart.yaml.tpl")
    advised = with_advice(refused.value, data, Place.file("chart.yaml.tpl"))
    assert "helm template CHART --show-only templates/chart.yaml.tpl | auditproof lint -" in str(advised)
    assert advised.server_message == refused.value.server_message
    assert advised.problems[1:] == refused.value.problems


@pytest.mark.parametrize("name", ["kubeadm.yaml", "kind.yaml"])
def test_the_path_of_a_policy_leads_through_mounts_to_where_it_is_kept(name: str) -> None:
    (one,) = named_paths((FILES / name).read_bytes(), name)
    assert one.neighbours[0] == ("./plain.yaml" if name == "kind.yaml" else "plain.yaml")
    assert one.path.startswith("/etc/kubernetes/")


@pytest.mark.parametrize(
    "text",
    [
        "kube-apiserver-arg: [audit-policy-file=/etc/rancher/k3s/audit.yaml]",
        "audit-policy-file: /etc/rancher/rke2/audit.yaml",
        "spec: {kubeAPIServer: {auditPolicyFile: /srv/audit.yaml}}",
        STATIC_POD,
    ],
)
def test_flags_and_keys_that_name_the_path_of_a_policy_are_known(text: str) -> None:
    (one,) = named_paths(text.encode(), "config.yaml")
    assert one.neighbours == ("audit.yaml",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n\t- level: None\n", "p.yaml:4:1: .*column 1 is a tab"),
        (
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\u00a0\n".encode(),
            r"p.yaml:4:10: .*\(column 18 of this line is a no-break space \(U\+00A0\)\)",
        ),
    ],
)
def test_a_character_that_nobody_can_see_is_named_with_its_place(text: bytes, says: str) -> None:
    with pytest.raises(PolicyRefused, match=says):
        parse_policy(text, "p.yaml")


def test_a_key_with_a_space_that_is_none_says_so() -> None:
    text = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n  - level: Metadata\n\u00a0 - level: None\n"
    policy = parse_policy(text.encode(), "p.yaml")
    assert "letter 1 of it is a no-break space (U+00A0)" in policy.warnings[0].message
    (unknown,) = (one for one in examine(policy, load_served("1.37")).findings if one.code == "AP101")
    assert unknown.advice.startswith("Letter 1 of the key is a no-break space (U+00A0)")


def test_an_event_of_a_log_and_a_report_of_auditproof_hold_no_policy() -> None:
    """A folder with the report of a run held a "policy" for each event in it."""
    event = b'{"apiVersion": "audit.k8s.io/v1", "kind": "Event", "level": "Metadata"}'
    assert embedded(b'{"events": [%s]}' % event, "log.json") == []
    text = b'{"policy": {"text": "apiVersion: audit.k8s.io/v1\\nkind: Policy\\n"}'
    assert len(embedded(text + b"}", "other.json")) == 1
    assert embedded(text + b', "apiVersion": "auditproof/v1", "kind": "ConformanceReport"}', "results.json") == []
