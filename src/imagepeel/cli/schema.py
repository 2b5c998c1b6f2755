"""`imagepeel schema`: the JSON Schema of what a command writes with --json."""

from __future__ import annotations

import click

from imagepeel.cli import common, completing
from imagepeel.cli.settings import Settings


@click.command(epilog="\b\nExamples:\n  imagepeel schema layers")
@click.argument("name", required=False, metavar="[NAME]", shell_complete=completing.schemas)
@common.output
@common.settings
def command(settings: Settings, name: str | None) -> None:
    """Print the JSON Schema of what a command writes with --json.

    Without NAME: the commands that have one.  ls, tree and find write one object a line; their schema
    is that of a line.
    """
    from imagepeel.results.registry import TYPES  # start time

    if name is None:
        for known in TYPES:
            click.echo(known)
        return
    import json  # start time

    from imagepeel.render.schemas import schema_of  # start time

    click.echo(json.dumps(schema_of(name), indent=2))
