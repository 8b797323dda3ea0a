"""Writes docs/options.md from the table of options. ``make options``."""

from __future__ import annotations

from auditproof import content
from auditproof.options import OPTIONS, VARIABLES, Option, ValueKind

DOCUMENT = content.root() / "docs" / "options.md"
HEAD = """\
# Options

<!-- Written by `make options` from `src/auditproof/options.py`. -->

Configure a run on the command line, by environment variables, or in the ini file of pytest.

`auditproof run` and pytest have the same options; pytest's begin with `--audit-`. The policy is the first argument of
`auditproof run POLICY`, and `--audit-policy FILE` of pytest. The command line comes before the environment variable,
and that before the key in pytest's ini file. A path in that file is relative to its folder, any other to the working
directory.

With pytest, several values are separated by commas, and several logs by line breaks; `auditproof run` takes the option
more than once.

| option | environment | ini key | meaning |
| --- | --- | --- | --- |
"""
VARIABLES_HEAD = """
These environment variables have no option:

| environment | meaning |
| --- | --- |
"""


def document() -> str:
    """The text of docs/options.md."""
    rows = [_row(option) for option in OPTIONS]
    variables = [f"| `{variable.name}` | {variable.help} |\n" for variable in VARIABLES]
    return "".join([HEAD, *rows, VARIABLES_HEAD, *variables])


def _row(option: Option) -> str:
    flag = option.flag if option.kind is ValueKind.FLAG else f"{option.flag} {option.metavar}"
    cells = [_code(flag.replace("|", "\\|")), _code(option.variable), _code(option.ini), option.help]
    return f"| {' | '.join(cells)} |\n"


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
