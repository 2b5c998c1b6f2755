"""The options that commands share, as decorators; their values land in the `Settings` of the call.

@click.command()
@common.archive          # ARCHIVE --image --platform --blobs --limits --no-verify --no-cache --color --debug
@common.view             # --view
@common.json             # --json
@common.settings
def command(settings: Settings) -> None: ...
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from imagepeel.cli import completing
from imagepeel.cli.settings import Settings
from imagepeel.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")

if TYPE_CHECKING:
    NumberType = click.ParamType[float]
else:
    # It takes the type of its value since click 8.4.
    NumberType = click.ParamType


def settings(command: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
    """Give the command its `Settings` as first argument."""
    return click.make_pass_decorator(Settings, ensure=True)(command)


def _store(field: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> Any:
        setattr(ctx.ensure_object(Settings), field, value)
        return value

    return callback


def _option(field: str, *names: str, **given: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, callback=_store(field), **given)


def _reveal(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from imagepeel.masking import show_secrets  # start time

        # Until the context of the command ends.
        ctx.with_resource(show_secrets())


def stack(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Return several decorators as one, the first of them outermost."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


output: Callable[[Any], Any] = stack(
    _option(
        "color",
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="Colour the output; auto means on a terminal without NO_COLOR and with a TERM that is not dumb.",
    ),
    _option(
        "pager",
        "--no-pager",
        "pager",
        is_flag=True,
        flag_value=False,
        default=True,
        help="On a terminal, do not send a long output to a pager (IMAGEPEEL_PAGER, PAGER or less).",
    ),
    _option("debug", "--debug", is_flag=True, help="Show a traceback with an error."),
)
"""--color, --no-pager and --debug: what commands without an archive take too."""

limits: Callable[[Any], Any] = _option(
    "limits",
    "--limits",
    type=click.Choice(["default", "strict"]),
    default="default",
    show_default=True,
    help="Bounds on what a hostile archive may cost; strict suits archives of strangers.",
)
"""--limits."""


def keep_sources(settings: Settings, sources: Sequence[str]) -> None:
    """UsageError when the page that is to be written has the place of a source, or of an archive in a folder."""
    page = settings.html
    if page is None or page == "-" or not os.path.isfile(page):
        return
    from imagepeel.fleet.words import looks_like_archive  # start time

    for source in sources:
        settings.keep_archive(page, source)
    if looks_like_archive(page):
        raise UsageError(f"{page} is an archive", hint="write to another file")


away: Callable[[Any], Any] = stack(
    _option(
        "ca",
        "--ca",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Certificates to trust beside those of this machine, for an image in a registry or on a server.",
    ),
    _option(
        "plain_http",
        "--plain-http",
        is_flag=True,
        help="Talk to another machine without encryption where it has none.",
    ),
)
"""--ca and --plain-http: how images that are elsewhere are asked for."""

reading: Callable[[Any], Any] = stack(
    _option(
        "blobs",
        "--blobs",
        metavar="DIR",
        type=click.Path(file_okay=False),
        help="Where blobs lie that a layout shares with others (DIR/sha256/...).",
    ),
    limits,
    _option(
        "verify", "--no-verify", "verify", is_flag=True, flag_value=False, default=True, help="Do not compute digests."
    ),
    _option(
        "cache",
        "--no-cache",
        "cache",
        is_flag=True,
        flag_value=False,
        default=True,
        help="Neither use nor keep an index of large layers in the user's cache directory.",
    ),
    away,
    click.option(
        "--show-secrets",
        is_flag=True,
        expose_value=False,
        callback=_reveal,
        help="Show tokens, passwords and keys in clear; by default they are masked wherever they are found.",
    ),
    output,
)
"""--blobs, --limits, --no-verify, --no-cache, `away`, --show-secrets and `output`: how it is read."""

platform: Callable[[Any], Any] = _option(
    "platform",
    "--platform",
    metavar="OS/ARCH",
    shell_complete=completing.platforms,
    help="Which platform: os/architecture[/variant].",
)
"""--platform, for a command whose images are named in another way."""

opening: Callable[[Any], Any] = stack(
    _option(
        "reference",
        "--image",
        metavar="REF",
        shell_complete=completing.references,
        help="Which image: a name, a tag, a digest or its start, or a number as '#2'.  See imagepeel images.",
    ),
    platform,
    reading,
)
"""--image, --platform and `reading`, apart from `archive` for commands with several archives."""


def _archive(**given: Any) -> Callable[[Any], Any]:
    return click.argument(
        "archive", type=click.Path(allow_dash=True), expose_value=False, callback=_store("archive"), **given
    )


archive: Callable[[Any], Any] = stack(_archive(metavar="ARCHIVE"), opening)
"""ARCHIVE (a file, a layout directory, - for standard input, or the word of a source) and all that `opening` brings."""

optional_archive: Callable[[Any], Any] = stack(_archive(metavar="[ARCHIVE]", required=False, default=""), opening)
"""The same for a command that may have something else to tell of; `Settings.archive` is "" without one."""

view: Callable[[Any], Any] = _option(
    "view",
    "--view",
    metavar="NAME",
    default="runtime",
    show_default=True,
    shell_complete=completing.views,
    help="Which filesystem: runtime (containerd with overlayfs), docker, podman, spec or sequential.",
)
"""--view, checked where the view is built, which knows all names."""

rules: Callable[[Any], Any] = stack(
    click.option(
        "--select",
        multiple=True,
        metavar="RULE",
        shell_complete=completing.rules,
        help="Only these rules or lessons: A,B or repeated.",
    ),
    click.option(
        "--ignore",
        multiple=True,
        metavar="RULE",
        shell_complete=completing.rules,
        help="Not these rules or lessons: A,B or repeated.",
    ),
)
"""--select and --ignore, which the command gets."""

json: Callable[[Any], Any] = _option("json", "--json", is_flag=True, help="Write the result as JSON.")
"""--json; `imagepeel schema COMMAND` prints the schema."""

forms: Callable[[Any], Any] = stack(
    json,
    _option(
        "html",
        "--html",
        metavar="FILE",
        type=click.Path(allow_dash=True),
        help="Write it as one HTML file, - for stdout.",
    ),
    _option("markdown", "--markdown", is_flag=True, help="Write it as Markdown."),
)
"""--json, --html and --markdown; `documents.forms` also sees to it that only one of them is given."""


human: Callable[[Any], Any] = click.option("-h", "--human", is_flag=True, help="With -l, sizes as 4.1 MB.")
"""-h of a command that lists files as ls and find do, which the command gets."""

human_already: Callable[[Any], Any] = click.option(
    "-h", "--human", is_flag=True, expose_value=False, help="Of habit: sizes are as 4.1 MB without it, too."
)
"""-h of every other command that lists sizes; without an archive it is --help for all of them."""


def base(command: F) -> F:
    """--base, handed to the command."""
    return click.option(
        "--base",
        default="0",
        metavar="N|TEXT",
        help="Layers of the base image: how many, or text of the first history step that is your own.",
    )(command)


def receipts(words: str = "Below each claim, the shell commands that show the same.") -> Callable[[Any], Any]:
    """--receipts, handed to the command."""
    return click.option("--receipts", is_flag=True, help=words)


class LayerNumber(NumberType):
    """`3` or `L3` as people count, base first; the value is the 0-based index."""

    name = "layer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        digits = value[1:] if value[:1] in ("L", "l") else value
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) > 0):
            self.fail(f"{value!r} is no layer: write 1 or L1 for the base layer", param, ctx)
        return int(digits) - 1


layer: Callable[[Any], Any] = click.option(
    "--layer",
    "layer",
    metavar="N",
    type=LayerNumber(),
    shell_complete=completing.labels,
    help="What one layer did: 1 or L1 is the base.",
)
"""--layer N as a 0-based index or None."""


def only_one_stdin(*archives: str) -> None:
    """UsageError when more than one of several archives is `-`."""
    if archives.count("-") > 1:
        raise UsageError("standard input can be read only once", hint="save one of the archives to a file")
