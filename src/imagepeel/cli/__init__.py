"""The command line: a table of commands that load on first use, and the one place where errors become exit codes.

`imagepeel --help` reads the table only; the module of a command is imported when the command is named.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "explain": ("imagepeel.cli.explain", "The story of an image, from the tarball to the process."),
    "browse": ("imagepeel.cli.browse", "A terminal to walk in: layers, files, and what starts, by arrow keys."),
    "report": ("imagepeel.cli.report", "One HTML page to pass around: peel it, search it, see it start."),
    "peel": ("imagepeel.cli.peel", "The story for a room: one idea a screen, a key for the next one."),
    "quiz": ("imagepeel.cli.quiz", "Questions about an image: predict, then see the answer with its proof."),
    "layers": ("imagepeel.cli.layers", "One row a layer: what made it, how big it is, what it changed."),
    "images": ("imagepeel.cli.images", "What the archive holds: every image, attestation and artifact."),
    "ls": ("imagepeel.cli.ls", "List a directory of the filesystem, or what one layer did."),
    "tree": ("imagepeel.cli.tree", "Show the filesystem, or what one layer did, as a tree."),
    "cat": ("imagepeel.cli.cat", "Write the bytes of a file, also of one that a later layer removed."),
    "find": ("imagepeel.cli.find", "Find paths by pattern, type, size, mode, owner and time."),
    "du": ("imagepeel.cli.du", "Where the bytes are: by layer, by directory, shipped against visible."),
    "anatomy": ("imagepeel.cli.anatomy", "Every byte accounted for, and the headers of one entry byte by byte."),
    "trace": ("imagepeel.cli.trace", "The life of a path: which layer added, changed, hid or removed it."),
    "blame": ("imagepeel.cli.blame", "Who brought each line of a file: layer, build step, day."),
    "log": ("imagepeel.cli.log", "Every version of a path as a diff, or one layer as a patch."),
    "diff": ("imagepeel.cli.diff", "What differs between two images, or between two layers of one."),
    "views": ("imagepeel.cli.views", "Where engines disagree about the filesystem, path by path, and why."),
    "wtf": ("imagepeel.cli.wtf", "What will surprise you about an image, worst first, with proof and fix."),
    "slim": ("imagepeel.cli.slim", "What to do so that nothing is shipped in vain, and what each step saves."),
    "waste": ("imagepeel.cli.waste", "Every byte shipped but unreachable, by cause, adding up exactly."),
    "check": ("imagepeel.cli.check", "The gate for CI: fail on new findings, as text, SARIF, JUnit, ..."),
    "operate": ("imagepeel.cli.operate", "The Container Operator's Manual for an image."),
    "process": ("imagepeel.cli.process", "Which process the image becomes, or how its start fails."),
    "packages": ("imagepeel.cli.packages", "What dpkg, apk, rpm, pip and npm installed, with layer and bytes."),
    "start": ("imagepeel.cli.start", "A pod, compose file, quadlet or docker run line: what starts, as whom, where."),
    "why": ("imagepeel.cli.why", "Decode an error text, an exit code or a signal: every cause, and which."),
    "loadable": ("imagepeel.cli.loadable", "Who takes the archive: docker load, podman load, ctr and others."),
    "survey": ("imagepeel.cli.survey", "Facts of many images as tables, each layer read once."),
    "lineage": ("imagepeel.cli.lineage", "Which image stands on which, by DiffIDs, without a survey."),
    "bundle": ("imagepeel.cli.bundle", "Write the bundle that runc and crun start."),
    "forge": ("imagepeel.cli.forge", "Make a teaching image, good or broken on purpose."),
    "workshop": ("imagepeel.cli.workshop", "A course in a folder: pages, images, exercises, and a checker."),
    "judge": ("imagepeel.cli.judge", "Judge any program that unpacks layers or starts bundles."),
    "cache": ("imagepeel.cli.cache", "What is kept between runs to make the next one fast."),
    "schema": ("imagepeel.cli.schema", "Print the JSON Schema of what a command writes with --json."),
    "version": ("imagepeel.cli.version", "Show the versions that a bug report needs."),
    "dockerfile": ("imagepeel.cli.dockerfile", "The Dockerfile again, as far as the history tells it."),
    "flatten": ("imagepeel.cli.flatten", "Write the filesystem as one deterministic tar."),
    "extract": ("imagepeel.cli.extract", "Write the filesystem into a directory, safe by default."),
}
"""Command name -> (module that holds `command`, short help), in the order of `imagepeel --help`."""

GROUPS: dict[str, tuple[str, ...]] = {
    "The story": ("explain", "browse", "report", "loadable", "process", "start", "why", "wtf", "operate"),
    "What is inside": ("images", "layers", "ls", "tree", "cat", "find", "du", "waste", "slim", "packages", "anatomy"),
    "How it came to be": ("trace", "blame", "log", "views", "diff", "dockerfile"),
    "Out of the archive": ("extract", "flatten", "bundle"),
    "In CI": ("check",),
    "Many images": ("survey", "lineage"),
    "To learn": ("workshop", "peel", "quiz", "judge", "forge"),
}
"""Headings of `imagepeel --help`; a command that none of them names stands under the last one, `More`."""

COMPLETE_VARIABLE = "_IMAGEPEEL_COMPLETE"

NEVER_PAGED = frozenset({"browse", "cat", "flatten", "forge", "judge", "peel", "quiz"})
"""Commands that ask for keys, write bytes as they are, or tell while they run how far they are."""


class LazyGroup(click.Group):
    """A click group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and args[0] not in NEVER_PAGED:
            from imagepeel.cli.pager import paged  # start time

            ctx.with_resource(paged(ctx.obj.paging))
        if args[1:] == ["-h"]:
            args = [args[0], "--help"]  # it asks for sizes in words where there is something to size
        if args[0] == "help":
            # `imagepeel help ls` is `imagepeel ls --help`, and `imagepeel help` alone the first page.
            if len(args) == 1:
                click.echo(ctx.get_help())
                ctx.exit()
            return super().resolve_command(ctx, [args[1], "--help"])
        if args[0] not in COMMANDS and _names_an_image(args[0]):
            return "explain", self.get_command(ctx, "explain"), args
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            # click looks the close names up in its own register, which is empty here.
            from difflib import get_close_matches  # start time

            close = get_close_matches(args[0], COMMANDS, n=1)
            if close and args[0] not in COMMANDS:
                raise click.UsageError(f"No such command {args[0]!r}.  Did you mean {close[0]!r}?", ctx) from None
            raise

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            # click's parser does not say which command an option without its value belongs to.
            if error.ctx is None and ctx.invoked_subcommand in COMMANDS:
                command = self.get_command(ctx, ctx.invoked_subcommand)
                assert command is not None
                error.ctx = click.Context(command, parent=ctx, info_name=ctx.invoked_subcommand)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        grouped = {name for names in GROUPS.values() for name in names}
        rest = tuple(name for name in COMMANDS if name not in grouped)
        for title, names in (*GROUPS.items(), ("More", rest)):
            rows = [(f"{name:<10}", COMMANDS[name][1]) for name in names if name in COMMANDS]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem  # start time

        found = [CompletionItem(n, help=h) for n, (_, h) in COMMANDS.items() if n.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run one command line and leave with its exit code (`docs/reference/exit-codes.md`)."""
        words = list(sys.argv[1:] if args is None else args)
        name = prog_name or "imagepeel"
        if COMPLETE_VARIABLE in os.environ:
            from imagepeel.cli.shells import add_shells  # start time

            add_shells()
            super().main(words, name, COMPLETE_VARIABLE, True, windows_expand_args=windows_expand_args, **extra)
        from imagepeel.cli.failures import guarded  # start time
        from imagepeel.cli.settings import Settings  # start time

        settings = Settings()
        settings.debug = "--debug" in words
        sys.exit(guarded(lambda: _run(self, words, name, {**extra, "obj": settings}), settings, tuple(words)))


def _names_an_image(word: str) -> bool:
    """Whether a word in the place of a command is a file that is there, standard input, or looks like an image.

    The name of a command wins over a file of that name.  What looks like an image is a path or a reference: opening it
    says what to type.
    """
    return word == "-" or (not word.startswith("-") and (os.path.lexists(word) or any(mark in word for mark in ":/.@")))


def _run(group: click.Group, words: list[str], name: str, extra: dict[str, Any]) -> int:
    try:
        with group.make_context(name, words, **extra) as ctx:
            group.invoke(ctx)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    return 0


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from imagepeel._version import __version__  # start time

        click.echo(f"imagepeel {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    name="imagepeel",
    invoke_without_command=True,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
)
@click.option(
    "-V", "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version."
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A container image is a tarball that is unpacked and run as a process.

    imagepeel reads an image archive (docker save, podman save, skopeo copy, an OCI layout, ...) and shows what is
    inside, layer by layer, down to the process it becomes.  It needs no daemon, unpacks nothing and runs nothing.

    `imagepeel FILE` is `imagepeel explain FILE`, `imagepeel help COMMAND` is `imagepeel COMMAND --help`.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> NoReturn:
    """Entry point of the `imagepeel` command."""
    cli.main()
