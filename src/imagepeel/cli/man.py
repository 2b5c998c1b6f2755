"""The page of the manual, `man imagepeel`, made of the commands themselves.

`python -m imagepeel.cli.man > docs/reference/imagepeel.1` writes it anew; the wheel brings it to share/man/man1.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence

import click

from imagepeel.cli import COMMANDS, GROUPS, cli
from imagepeel.cli.docs import SHARED, commands, option_words, root_context
from imagepeel.errors import EXIT_CODES

_ENVIRONMENT = (
    ("COLUMNS", "Columns to lay tables out for."),
    ("NO_COLOR, FORCE_COLOR, TERM", "Whether there is colour, where --color does not say it."),
    ("IMAGEPEEL_PAGER, PAGER", "The pager of a terminal, less by default; empty or cat for none."),
    ("XDG_CACHE_HOME", "Where the index of large layers is kept, in imagepeel/; ~/.cache by default."),
    ("TMPDIR", "Where what comes from a pipe is kept while it is read."),
)


def page() -> str:
    """Return the whole page in the macros of man(7)."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    ctx = root_context()
    yield '.TH IMAGEPEEL 1 "" imagepeel "User Commands"'
    yield from (".SH NAME", "imagepeel \\- shows which process a container image becomes", ".SH SYNOPSIS")
    yield from (".B imagepeel", "COMMAND ARCHIVE [OPTIONS] ...", ".br", ".B imagepeel", "ARCHIVE", ".SH DESCRIPTION")
    yield from _prose(cli.help or "")
    yield from (".SH COMMANDS",)
    grouped = {name for names in GROUPS.values() for name in names}
    for title, names in (*GROUPS.items(), ("More", tuple(name for name in COMMANDS if name not in grouped))):
        yield f".SS {_text(title)}"
        for name in names:
            yield from (".TP", f".B {_text(name)}", _text(COMMANDS[name][1]))
    every = list(commands(ctx))
    yield ".SH OPTIONS OF EVERY COMMAND THAT OPENS AN ARCHIVE"
    layers = next(command for command in every if command.name == "layers")
    yield from _options([param for param in layers.params if param.name in SHARED])
    yield ".SH EACH COMMAND"
    for command in every:
        yield from _command(command, ctx)
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_CODES.items():
        yield from (".TP", f".B {code}", _text(meaning))
    yield ".SH ENVIRONMENT"
    for variable, meaning in _ENVIRONMENT:
        yield from (".TP", f".B {variable}", _text(meaning))
    yield from (".SH SEE ALSO", ".BR tar (5),", ".BR execve (2),", ".BR skopeo (1),", ".BR runc (8)")


def _command(command: click.Command, parent: click.Context) -> Iterator[str]:
    ctx = click.Context(command, info_name=command.name, parent=parent)
    yield f".SS {_text(' '.join((ctx.command_path, *command.collect_usage_pieces(ctx))))}"
    yield from _prose(command.help or "")
    examples = [line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("imagepeel")]
    if examples:
        yield from (".PP", ".nf", ".RS", *map(_text, examples), ".RE", ".fi")
    yield from _options([param for param in command.params if param.name not in SHARED])
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _command(inner, ctx)


def _options(params: Sequence[click.Parameter]) -> Iterator[str]:
    for param in params:
        if isinstance(param, click.Option):
            names, meaning = option_words(param)
            yield from (".TP", f".B {_text(names)}", _text(meaning))


def _prose(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text).replace("\b\n", "")):
        yield from (".PP", _text(paragraph))


def _text(text: str) -> str:
    """One line of words: white space is one blank, and nothing in it is a request or an escape of roff."""
    line = re.sub(r"\s+", " ", text).strip().replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    line = line.replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return f"\\&{line}" if line.startswith(".") else line


if __name__ == "__main__":
    sys.stdout.write(page())
