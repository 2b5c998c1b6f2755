"""The reference pages say what the program does: made from it, or compared with it."""

from __future__ import annotations

import re
from pathlib import Path

import click

from imagepeel import errors
from imagepeel.cli import COMMANDS, cli
from imagepeel.cli.docs import page
from imagepeel.cli.failures import INTERNAL, INTERRUPTED

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
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)}
    assert documented == {0, 1, INTERNAL, INTERRUPTED} | {kind.exit_code for kind in errors.ALL_ERRORS}
    for kind in errors.ALL_ERRORS:
        row = next(line for line in text.splitlines() if line.startswith(f"| {kind.exit_code} |"))
        assert f"`{kind.__name__}`" in row
