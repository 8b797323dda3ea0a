"""Which files are read as rules, and what is said about those that cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditproof.detections import load_rules
from auditproof.errors import AuditproofError, SourceError

if TYPE_CHECKING:
    from pathlib import Path

RULE = """\
title: A rule
id: {id}
logsource: {{product: kubernetes, service: audit}}
detection: {{selection: {{verb: get}}, condition: selection}}
"""


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_folder_is_read_with_all_below_it(tmp_path: Path) -> None:
    """Hidden folders and files without rules are passed over, in order of name."""
    for number, name in enumerate(("pack/b.yaml", "pack/a.yml", "pack/deep/c.yml", "pack/.git/d.yml")):
        put(tmp_path, name, RULE.format(id=number))
    put(tmp_path, "pack/README.md", "# Rules with detection:\n")
    put(tmp_path, "pack/pipeline.yml", "name: mine\npriority: 1\ntransformations: []\n")
    put(tmp_path, "pack/chart.yaml", "{{ if .Values.x }}\n{{ end }}\n")
    read = load_rules([tmp_path / "pack"])
    assert [(one.id, one.pack) for one in read.detections] == [("1", "pack"), ("0", "pack"), ("2", "pack")]
    assert read.not_read == ()


def test_a_file_of_a_folder_that_looks_like_a_rule_is_not_passed_over(tmp_path: Path) -> None:
    """A rule that nobody can read is counted."""
    put(tmp_path, "pack/a.yml", RULE.format(id=1))
    put(tmp_path, "pack/b.yml", RULE.format(id=2) + "level: [high\n")
    put(tmp_path, "pack/c.ndjson", '\n{"rule_id": \n')
    (tmp_path / "pack/d.yml").write_bytes("title: a".encode("utf-16"))
    read = load_rules([tmp_path / "pack"])
    assert [(one.id, one.pack, one.position.line) for one in read.not_read] == [
        ("b.yml", "pack", 6),
        ("c.ndjson", "pack", 2),
        ("d.yml", "pack", 1),
    ]
    reasons = ("not valid YAML:", "not valid JSON:", "is not UTF-8 text: byte 0xff")
    assert all(one.reason.startswith(reason) for one, reason in zip(read.not_read, reasons, strict=True))


def test_files_of_all_languages_are_read_from_one_folder(tmp_path: Path) -> None:
    """By their content, in the order of their names; Falco's files belong together."""
    put(tmp_path, "pack/1.yml", RULE.format(id="sigma"))
    put(tmp_path, "pack/2.yml", "- list: verbs\n  items: [get]\n")
    put(
        tmp_path,
        "pack/3.toml",
        "[rule]\nrule_id = 'elastic'\nname = 'A'\ntype = 'query'\nquery = 'kubernetes.audit.verb: get'\n",
    )
    rule = "{rule: falco, desc: a, condition: ka.verb in (verbs), output: a, priority: INFO, source: k8s_audit}"
    put(tmp_path, "pack/4.yml", rule.replace("{", "- ").replace(", ", "\n  ").replace("}", "\n"))
    own = "apiVersion: auditproof/v1\nkind: Detections\ndetections: [{id: own, when: {verb: get}}]\n"
    put(tmp_path, "pack/5.yml", own)
    read = load_rules([tmp_path / "pack"])
    assert [(one.id, str(one.steps[0])) for one in read.detections] == [
        (name, "verb = get") for name in ("sigma", "elastic", "falco", "own")
    ]
    assert read.not_read == ()


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """However often it is named."""
    path = put(tmp_path, "a.yml", RULE.format(id=1))
    assert len(load_rules([path, tmp_path, path]).detections) == 1


def test_a_pattern_stands_for_files(tmp_path: Path) -> None:
    put(tmp_path, "pack/a.yml", RULE.format(id=1))
    put(tmp_path, "pack/b.yml", RULE.format(id=2))
    assert len(load_rules([f"{tmp_path}/pack/*.yml"]).detections) == 2
    assert len(load_rules([f"{tmp_path}/**/b.yml"]).detections) == 1
    with pytest.raises(AuditproofError, match="no file matches this pattern"):
        load_rules([f"{tmp_path}/pack/*.toml"])


def test_rules_that_share_an_id_get_the_name_of_their_pack(tmp_path: Path) -> None:
    paths = [put(tmp_path, name, RULE.format(id=1)) for name in ("a/x.yml", "b/x.yml", "b/y.yml")]
    put(tmp_path, "b/z.yml", RULE.format(id=2))
    assert [one.id for one in load_rules([paths[0], tmp_path / "b"]).detections] == ["x/1", "b/1", "b/1#2", "2"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yml", b"", "a.yml: no detection rules here"),
        ("a.yml", b"name: a\n", "a.yml: no detection rules here"),
        ("a.yml", b"title: [\n", "a.yml:2:1: not valid YAML"),
        ("a.yml", b"title: caf\xe9\n", "a.yml:1:1: is not UTF-8 text: byte 0xe9"),
        ("a.yml", b"a: &x [*x]\n", "this value contains itself"),
        ("a.yml", b"[" * 101 + b"]" * 101, "nested more than 100 levels deep"),
        ("a.yml", b"[" * 2000, "a.yml:1:"),
        ("a.yml", b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 10)) for n in b"abcdef"
        ), "aliases expand to too many values"),
        ("a.yml", b"date: 2026-02-30\n", "a value of this document is invalid"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_reported(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    """In a sentence, with the position."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AuditproofError) as raised:
        load_rules([path])
    assert message in str(raised.value)


def test_a_path_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    put(tmp_path, "rules.yml", RULE.format(id=1))
    with pytest.raises(AuditproofError, match=r'no such file or folder; did you mean "rules.yml"\?'):
        load_rules([tmp_path / "rule.yml"])
    with pytest.raises(AuditproofError, match="no detection rules here"):
        load_rules([put(tmp_path, "empty/README.md", "").parent])
    with pytest.raises(AuditproofError, match="path of detection rules is empty"):
        load_rules([""])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_reported(tmp_path: Path) -> None:
    path = put(tmp_path, "a.yml", RULE.format(id=1))
    path.chmod(0)
    with pytest.raises(SourceError, match="cannot be read: Permission denied"):
        load_rules([path])


def test_parsers_are_imported_only_when_rules_are_read() -> None:
    """Commands that read no rules do not wait for them."""
    code = "import sys, auditproof.detections; print(sorted({'lark', 'sigma', 'pydantic'} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
