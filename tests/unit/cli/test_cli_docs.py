"""The reference pages say what the program does: made from it, or compared with it."""

from __future__ import annotations

import re
from pathlib import Path

import click

from imagepeel import errors
from imagepeel.cli import COMMANDS, cli
from imagepeel.cli.docs import page

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def test_the_command_page_is_fresh() -> None:
    written = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m imagepeel.cli.docs > docs/reference/cli.md"


def test_every_command_and_option_is_on_the_page() -> None:
    text = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    ctx = click.Context(cli, **cli.context_settings)
    for name in COMMANDS:
        assert f"\n### imagepeel {name}\n" in text
        command = cli.get_command(ctx, name)
        assert command is not None
        for param in command.params:
            if isinstance(param, click.Option):
                assert param.help, (name, param.opts)
                assert param.opts[-1] in text


def test_examples_name_options_that_exist() -> None:
    ctx = click.Context(cli, **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(ctx, name)
        assert command is not None
        known = {word for param in command.params for word in (*param.opts, *param.secondary_opts)}
        for line in (command.epilog or "").splitlines():
            call = line.strip().partition("|")[0].partition(" -- ")[0]
            if call.startswith(f"imagepeel {name}"):
                used = re.findall(r" (--[a-z-]+)", call)
                assert set(used) <= known, line


def test_every_error_class_has_a_section_with_its_code() -> None:
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    for kind in errors.ALL_ERRORS:
        assert f"\n## {kind.__name__}\n" in text
        assert f"| `{kind.__name__}` | `{kind.code}` | {kind.exit_code} |" in text


def test_every_exit_code_is_documented_and_no_other() -> None:
    text = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    rows = [re.split(r" ?(?<!\\)\| ?", row)[1:-1] for row in text.splitlines() if re.match(r"\| \d", row)]
    kinds = {code: [kind for kind in errors.ALL_ERRORS if kind.exit_code == code] for code in errors.EXIT_CODES}
    assert [(code, meaning.replace("\\|", "|"), names) for code, meaning, names in rows] == [
        (str(code), meaning, ", ".join(f"`{kind.__name__}`" for kind in kinds[code]))
        for code, meaning in errors.EXIT_CODES.items()
    ]


def test_every_error_ends_in_a_documented_code() -> None:
    assert {kind.exit_code for kind in (errors.ImagepeelError, *errors.ALL_ERRORS)} <= errors.EXIT_CODES.keys()
    drawn = dict(re.findall(r"(\w+) +(\d+)$", errors.__doc__ or "", re.M))
    assert drawn == {kind.__name__: str(kind.exit_code) for kind in (errors.ImagepeelError, *errors.ALL_ERRORS)}


def test_the_page_of_the_gate_has_the_same_codes() -> None:
    text = (REFERENCE / "check.md").read_text(encoding="utf-8")
    of_archives = sorted({kind.exit_code for kind in errors.ALL_ERRORS} - {errors.USAGE})
    assert re.findall(r"^\| (\d[\d to]*) \|", text, re.M) == [
        str(errors.COMPLETE), str(errors.ANSWER_IS_NO), str(errors.USAGE), f"{of_archives[0]} to {of_archives[-1]}"
    ]  # fmt: skip
