"""The table of options is the only place that names an option of a run: both doors and the document follow it."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path

import pytest

import auditproof
from auditproof.analysis.coverage import Depth
from auditproof.cli import lint, run
from auditproof.clusters.existing.kubeconfig import DEFAULT
from auditproof.options import OPTIONS, VARIABLES, ValueKind, option_named
from auditproof.plugin.options import FORMATS
from auditproof.report import findings
from tools.options import DOCUMENT, document

pytest_plugins = ["pytester"]

SOURCE = Path(auditproof.__file__).parent
GIVEN = {
    ValueKind.VALUE: (["1"], "=1"),
    ValueKind.LINES: (["1", "2"], "=1\n2"),
    ValueKind.LIST: (["1", "2"], "=1,2"),
    ValueKind.FLAG: ([], ""),
}


def test_the_document_is_written_from_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "`make options` writes docs/options.md"


def test_every_option_is_spelled_the_same_in_each_place() -> None:
    """A flag, its variable and its ini key differ only in prefix, case and hyphens."""
    for option in OPTIONS:
        name = option.name.replace("-", "_")
        assert option.flag == f"--audit-{option.name}"
        assert option.variable in (None, f"AUDITPROOF_{name.upper()}")
        assert option.ini in (None, f"audit_{name}")
        assert (option.kind is ValueKind.FLAG) == (option.metavar == "")


def test_an_option_that_is_none_of_the_table_is_an_error() -> None:
    with pytest.raises(KeyError):
        option_named("polcy")


def test_the_table_has_every_variable_that_the_source_reads() -> None:
    """Except the mark that auditproof itself puts on the processes that it starts."""
    known = {option.variable for option in OPTIONS} | {variable.name for variable in VARIABLES}
    sources = [path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py") if path != SOURCE / "options.py"]
    read = {name for source in sources for name in re.findall(r"\bAUDITPROOF_[A-Z_]*[A-Z]\b", source)}
    assert read - {"AUDITPROOF_STARTED_AS"} <= known
    assert [variable.name for variable in VARIABLES if not any(f'"{variable.name}"' in text for text in sources)] == []


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_run_passes_every_option_on_to_pytest(option: object) -> None:
    """Whatever ``run`` is given, pytest is given under its own spelling, and nothing else."""
    assert isinstance(option, type(OPTIONS[0]))
    values, suffix = GIVEN[option.kind]
    arguments = [f"--{option.name}", *values[:1]]
    arguments += [text for value in values[1:] for text in (f"--{option.name}", value)]
    arguments = values if option.name == "policy" else ["p.yaml", *arguments]
    parser = ArgumentParser()
    run.declare(parser)

    passed = run.passed_on(parser.parse_args(arguments))

    expected = {"--audit-policy=p.yaml"}
    expected = {text for text in expected if not text.startswith(f"{option.flag}=")} | {option.flag + suffix}
    assert set(passed) == expected
    assert len(passed) == len(expected)


def test_pytest_knows_every_option_with_its_variable_and_ini_key(pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig("-p", "no:hypothesispytest")
    for option in OPTIONS:
        assert config.getoption(option.flag) == (False if option.kind is ValueKind.FLAG else None)
        if option.ini:
            assert config.getini(option.ini) == ""
    shown = pytester.runpytest("--help", "-p", "no:hypothesispytest").stdout.str()
    for option in OPTIONS:
        assert option.flag in shown
        assert option.variable is None or option.variable in shown


def test_help_names_the_values_that_the_code_accepts() -> None:
    """The table is text, because it may import nothing: its lists of values are compared here."""
    coverage, formats = option_named("coverage").help, option_named("formats").help
    assert all(re.search(rf"\b{depth}\b", coverage) for depth in (*Depth, "none"))
    assert all(re.search(rf"\b{name}\b", formats) for name in FORMATS)
    assert f'"{DEFAULT}"' in option_named("kubeconfig").help
    parser = ArgumentParser()
    lint.declare(parser)
    for name in findings.FORMATS:
        assert parser.parse_args(["p.yaml", "--format", name]).format == name
