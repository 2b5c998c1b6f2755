"""`imagepeel bundle`: the runtime bundle that runc and crun start."""

from __future__ import annotations

import os
from typing import Any

import click

from imagepeel.cli import common, completing, container
from imagepeel.cli.settings import Settings
from imagepeel.render.escape import terminal


@click.command()
@common.archive
@click.argument("directory", metavar="DIR", type=click.Path())
@container.words
@click.option("--rootfs", "unpacked", is_flag=True, help="Also write the filesystem; as root with owners and devices.")
@click.option(
    "--engine",
    metavar="NAME[@VERSION]",
    shell_complete=completing.engines,
    help="Whose defaults: docker, containerd, k8s, podman.  [docker@29.7]",
)
@container.options
@common.view
@common.json
@common.settings
def command(settings: Settings, /, directory: str, args: tuple[str, ...], unpacked: bool, **given: Any) -> None:
    """Write config.json for runc or crun into DIR, which must be absent or empty.

    It says what the engine would say: arguments, environment, user and groups, working directory, capabilities,
    mounts.  The filesystem is expected in DIR/rootfs; --rootfs writes it.
    """
    from imagepeel.export.bundle import write_bundle  # start time
    from imagepeel.export.extract import materialize  # start time

    with settings.open() as archive:
        image = settings.scanned(archive)
        settings.finish(image)
        rootfs = settings.rootfs(image)
        options = container.process_options(args, given)

        def unpack(tree: Any, where: Any) -> None:
            materialize(tree, str(where), preserve=os.geteuid() == 0)

        written = write_bundle(image, directory, options, rootfs=rootfs, unpack=unpack if unpacked else None)
        found = written.prediction
        if settings.json:
            from imagepeel.render.json import dumps  # start time

            click.echo(dumps("bundle", written))
        else:
            shown = terminal(written.directory)
            click.echo(
                f"{shown}: config.json{' and rootfs' if written.rootfs else ''}, as {found.engine} would write it"
            )
            click.echo(terminal(found.execve))
            for note in found.notes:
                click.echo(f"note: {terminal(note)}", err=True)
            if not written.rootfs:
                click.echo(f"the filesystem belongs in {shown}/rootfs (--rootfs writes it)")
        settings.finish(image, rootfs=rootfs)
