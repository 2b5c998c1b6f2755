"""The page `docs/reference/cli.md`, made of the commands themselves.

`python -m imagepeel.cli.docs > docs/reference/cli.md` writes it anew.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence

import click

from imagepeel.cli import COMMANDS, COMPLETE_VARIABLE, cli
from imagepeel.errors import COMPLETE, INTERRUPTED, TERMINATED, DigestMismatch, Malformed

_INTRO = """# Command line

This page is made from the commands: `python -m imagepeel.cli.docs > docs/reference/cli.md`.

    imagepeel COMMAND ARCHIVE ...

ARCHIVE is a file (docker save, podman save, skopeo copy, an OCI layout as tar, `docker export`, a bare layer; also
wrapped in gzip, zstd, xz or bzip2), an OCI layout directory, or `-` for standard input.  Nothing in it is run, and
nothing is unpacked to disk.

## What holds for every command

- Standard output carries the result and nothing else.  Warnings, errors and progress go to standard error; progress
  only to a terminal, after a second.
- Names and texts of an image are escaped, so that they cannot control a terminal: ESC is shown as `\\x1b`.  The exact
  bytes are written by `cat` into a file or pipe, by `ls -0`, and in the `_b64` fields of `--json`.
- `--json` writes one document `{"schema": "imagepeel/COMMAND/1", "imagepeel": VERSION, "result": ...}`; `imagepeel
  schema COMMAND` prints its JSON Schema.  `ls`, `tree` and `find` write JSON Lines instead: a header object with
  `"type": "header"`, then one object with `"type": "entry"` a path, so that a listing of a million paths streams.
  Fields may be added in later versions, never changed.
- People count layers from L1, the base: `--layer 3` and `--layer L3` are the same.  In JSON `layer` and `index` count
  from 0, with `label` beside them.
- Digests, sizes and DiffIDs are computed and compared.  When one does not fit, the result is still written, all
  mismatches follow on standard error, and the exit code is MISMATCH; a damaged layer ends in DAMAGED in the same way.
- `--color` decides about colour, else `NO_COLOR`, `FORCE_COLOR`, `TERM=dumb`, or whether it is a terminal.  `COLUMNS`
  sets the width; into a file or pipe, tables are never cut.  A table that lost columns to a narrow terminal says which.
- On a terminal, what is longer than the screen goes to a pager: `IMAGEPEEL_PAGER`, else `PAGER`, else `less`.
  `--no-pager`, or a variable that is empty or `cat`, leaves it out.
- `-h` means `--human` in `ls`, `find`, `tree`, `du` and every other command that lists sizes, and `--help` elsewhere;
  `imagepeel COMMAND -h` is `--help` for all of them.
- A closed pipe (`| head`) ends a command quietly with COMPLETE, Ctrl-C with INTERRUPTED, SIGTERM with
  TERMINATED; none of them leaves a file behind.
- Exit codes: [exit-codes.md](exit-codes.md).  Errors: [errors.md](errors.md).

## Shell completion

    bash   eval "$(VARIABLE=bash_source imagepeel)"          in ~/.bashrc
    zsh    eval "$(VARIABLE=zsh_source imagepeel)"           in ~/.zshrc
    fish   VARIABLE=fish_source imagepeel | source           in ~/.config/fish/config.fish

Commands, options and file names are completed, and the words of every option that takes one of a set (engines, views,
rules, formats, capabilities, signals, ...), the images, platforms and layers of the archive on the line, and paths
inside it, behind `--option=` as well as behind `--option`.

`man imagepeel` is this page for a terminal: the wheel brings it to `share/man/man1` of the environment.

## Commands
"""


SHARED = ("image", "platform", "blobs", "limits", "verify", "no_verify", "cache", "no_cache", "color", "pager", "debug")
"""Parameters that are explained once for all commands that open an archive."""


def page() -> str:
    """Return the whole page."""
    ctx = root_context()
    words = {
        "VARIABLE": COMPLETE_VARIABLE,
        "MISMATCH": DigestMismatch.exit_code,
        "DAMAGED": Malformed.exit_code,
        "COMPLETE": COMPLETE,
        "INTERRUPTED": INTERRUPTED,
        "TERMINATED": TERMINATED,
    }
    parts = [re.sub("|".join(words), lambda found: str(words[found[0]]), _INTRO)]
    parts.append("| command | what it does |\n|---|---|")
    parts[-1] += "".join(f"\n| [`{name}`](#imagepeel-{name}) | {short} |" for name, (_, short) in COMMANDS.items())
    shared = next(command for command in commands(ctx) if command.name == "layers")
    parts.append("### Options of every command that opens an archive")
    parts.append("\n".join(_table([param for param in shared.params if param.name in SHARED])))
    for command in commands(ctx):
        parts.append("\n".join(_section(command, ctx)))
        if isinstance(command, click.Group):
            inner = click.Context(command, info_name=command.name, parent=ctx)
            parts.extend("\n".join(_section(one, inner, "####")) for one in command.commands.values())
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def root_context() -> click.Context:
    """Return the context of the program: click keeps the help option that the first one asks for."""
    return click.Context(cli, info_name="imagepeel", **cli.context_settings)


def commands(ctx: click.Context) -> Iterator[click.Command]:
    """Yield every command, in the order in which they are registered."""
    for name in COMMANDS:
        command = cli.get_command(ctx, name)
        assert command is not None
        command.name = name
        yield command


def _section(command: click.Command, parent: click.Context, level: str = "###") -> Iterator[str]:
    ctx = click.Context(command, info_name=command.name, parent=parent)
    yield f"{level} {ctx.command_path}"
    yield ""
    yield f"    {ctx.command_path} {' '.join(command.collect_usage_pieces(ctx))}"
    yield ""
    yield inspect.cleandoc(command.help or "")
    examples = [line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("imagepeel")]
    if examples:
        yield ""
        yield from (f"    {line}" for line in examples)
    own = [param for param in command.params if isinstance(param, click.Option) and param.name not in SHARED]
    if own:
        yield ""
        yield from _table(own)


def _table(options: Sequence[click.Parameter]) -> Iterator[str]:
    yield "| option | meaning |"
    yield "|---|---|"
    for option in options:
        assert isinstance(option, click.Option)
        names, meaning = option_words(option)
        yield f"| `{_cell(names)}` | {_cell(meaning)} |"


def option_words(option: click.Option) -> tuple[str, str]:
    """Return an option as it is typed, with the words for its value, and what it means."""
    value = ""
    if isinstance(option.type, click.Choice):
        value = " " + "|".join(map(str, option.type.choices))
    elif not option.is_flag:
        value = f" {option.metavar or option.type.name.upper()}"
    default = f"  Default: {option.default}." if option.show_default else ""
    return ", ".join(option.opts) + value, (option.help or "") + default


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
