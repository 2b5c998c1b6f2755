"""What an operator says of a container on the command line, and the `ProcessOptions` made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from imagepeel.cli import completing
from imagepeel.cli.common import stack

if TYPE_CHECKING:
    from imagepeel.process.spec.options import ProcessOptions

words: Callable[[Any], Any] = click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS...]")
"""Words behind --, which replace the image's command."""

options: Callable[[Any], Any] = stack(
    click.option(
        "--entrypoint",
        multiple=True,
        metavar="WORD",
        help="Replace the entrypoint; '' clears it, repeat for more words.",
    ),
    click.option("-u", "--user", metavar="USER[:GROUP]", help="Replace the user."),
    click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Set a variable; repeat for more."),
    click.option("-w", "--workdir", metavar="DIR", help="Replace the working directory."),
    click.option(
        "--cap-add",
        multiple=True,
        metavar="CAP",
        shell_complete=completing.capabilities,
        help="Add a capability, or ALL.",
    ),
    click.option(
        "--cap-drop",
        multiple=True,
        metavar="CAP",
        shell_complete=completing.capabilities,
        help="Drop a capability, or ALL.",
    ),
    click.option("--no-new-privileges", is_flag=True, help="Ignore set-uid bits and file capabilities."),
    click.option("-t", "--tty", is_flag=True, help="With a terminal."),
    click.option("--hostname", metavar="NAME", help="The container's host name."),
)
"""--entrypoint to --hostname, under the names of `ProcessOptions`."""


def process_options(args: tuple[str, ...], given: dict[str, Any]) -> ProcessOptions:
    """Return what was given; what was not keeps the default of `ProcessOptions`."""
    from imagepeel.process.spec.options import ProcessOptions  # start time

    values: dict[str, Any] = {name: value for name, value in given.items() if value not in (None, (), False)}
    if args:
        values["args"] = args
    return ProcessOptions(**values)
