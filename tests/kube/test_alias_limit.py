"""Small files that could cost much: the cost stays in proportion to the file."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from auditproof.analysis.lint import examine
from auditproof.audit.policy.load import parse_policy
from auditproof.clusters.profile import load_profile
from auditproof.errors import AuditproofError, SourceError
from auditproof.kube.discovery import load_served

HEAD, RULES = "apiVersion: audit.k8s.io/v1\nkind: Policy\n", "rules: [{level: Metadata}]\n"


def seconds(work: Callable[[], object]) -> float:
    """Of this process's CPU: what else the machine does is not in them."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def test_merges_are_counted_before_they_are_made() -> None:
    """4,000 merges of 4,000 keys would be 16 million entries out of a small file."""
    keys = ",".join(f"k{number}: 1" for number in range(4000))
    text = f"{HEAD}a: &a {{{keys}}}\nb: {{<<: [{','.join(['*a'] * 4000)}]}}\n{RULES}"

    def read() -> None:
        with pytest.raises(SourceError) as refused:
            parse_policy(text.encode(), "policy.yaml")
        assert "policy.yaml:1:1: not valid YAML: document contains excessive aliasing" in str(refused.value)

    assert seconds(read) < 3  # 0.4; 12 before


@pytest.mark.parametrize("alias", ["a: &a [*a]", "a: *nowhere", "a: &a {b: *a}"])
def test_an_alias_that_leads_nowhere_is_told(alias: str) -> None:
    with pytest.raises(SourceError, match="anchor"):
        parse_policy(f"{HEAD}{alias}\n{RULES}".encode(), "policy.yaml")


def test_many_comments_cost_no_more_than_their_number() -> None:
    """The time grows with the number of comments, not with its square."""

    def lint(count: int) -> float:
        text = HEAD + "# auditproof: ignore AP504 because x\n" * count + RULES
        policy = parse_policy(text.encode(), "policy.yaml")
        return seconds(lambda: examine(policy, load_served("1.37")))

    lint(1)
    assert lint(10_000) < 3  # 0.3; it was 25


@pytest.mark.parametrize("key", ["Level", "a[0]", "[", "", "Provider"])
def test_an_unknown_key_is_told_whatever_it_looks_like(tmp_path: Path, key: str) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(f'provider: kind\n"{key}": "1.37"\n')

    with pytest.raises(AuditproofError) as refused:
        load_profile(str(path))

    assert f'{path}:2:1: {key or "the file"}: unknown key "{key}"' in str(refused.value)
