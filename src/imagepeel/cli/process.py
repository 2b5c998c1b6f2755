"""`imagepeel process`: which process the image becomes, or how the start fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imagepeel.cli import common
from imagepeel.cli.settings import Settings
from imagepeel.results.tables import image_head

if TYPE_CHECKING:
    from imagepeel.api import Image
    from imagepeel.evidence import Receipt
    from imagepeel.process.spec.options import ProcessOptions
    from imagepeel.rootfs.view import Rootfs


_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel process image.tar\n"
    "  imagepeel process image.tar --engine k8s --run-as-non-root\n"
    "  imagepeel process image.tar --entrypoint sh --user app -- -c id\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS...]")
@click.option("--engine", metavar="NAME[@VERSION]", help="docker, containerd, k8s, podman, runc or crun.  [docker@28]")
@click.option("--runtime", metavar="NAME[@VERSION]", help="The runtime below the engine: runc or crun.")
@click.option("--host-arch", metavar="ARCH", help="Architecture of the machine; by default that of the image.")
@click.option(
    "--entrypoint", multiple=True, metavar="WORD", help="Replace the entrypoint; '' clears it, repeat for more words."
)
@click.option("-u", "--user", metavar="USER[:GROUP]", help="Replace the user.")
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Set a variable; repeat for more.")
@click.option("-w", "--workdir", metavar="DIR", help="Replace the working directory.")
@click.option("--cap-add", multiple=True, metavar="CAP", help="Add a capability, or ALL.")
@click.option("--cap-drop", multiple=True, metavar="CAP", help="Drop a capability, or ALL.")
@click.option("--no-new-privileges", is_flag=True, help="Ignore set-uid bits and file capabilities.")
@click.option("--init", is_flag=True, help="Let the engine put its small init in front.")
@click.option("-t", "--tty", is_flag=True, help="With a terminal.")
@click.option("--hostname", metavar="NAME", help="The container's host name.")
@click.option("--stop-signal", metavar="SIGNAL", help="Replace the stop signal.")
@click.option("--run-as-non-root", is_flag=True, help="The Kubernetes setting runAsNonRoot.")
@click.option("--rootless", is_flag=True, help="An engine without root rights.")
@click.option("--matrix", is_flag=True, help="Every engine on every common architecture, one verdict a cell.")
@click.option("--receipts", is_flag=True, help="Below each step, the shell command that shows the same.")
@common.view
@common.json
@common.settings
def command(settings: Settings, /, args: tuple[str, ...], matrix: bool, receipts: bool, **given: Any) -> None:
    """Which process the image becomes, or how its start fails.

    Nothing is run.  The prediction follows what the engine, the runtime, the kernel and the loader do with this
    image, step by step, and names the layer that brought each file.  On failure the text that an operator sees
    comes first, then why, then what to do.

    Words after -- replace the image's command, as with docker run.
    """
    with settings.open() as archive:
        image = settings.scanned(archive)
        rootfs = settings.rootfs(image)
        options = _options(args, given)
        if matrix:
            _matrix(settings, image, rootfs, options)
        else:
            _predict(settings, image, rootfs, options, receipts)
        settings.finish(image, rootfs=rootfs)


def _options(args: tuple[str, ...], given: dict[str, Any]) -> ProcessOptions:
    """Return what was given; what was not keeps the default of `ProcessOptions`."""
    from imagepeel.process.spec.options import ProcessOptions

    values: dict[str, Any] = {name: value for name, value in given.items() if value not in (None, (), False)}
    if args:
        values["args"] = args
    return ProcessOptions(**values)


def _predict(settings: Settings, image: Image, rootfs: Rootfs, options: ProcessOptions, receipts: bool) -> None:
    from imagepeel.process.predict import predict

    found = predict(rootfs, image.config, options, architecture=image.architecture or None, complete=rootfs.complete)
    head = image_head(image)
    proofs: tuple[tuple[Receipt, ...], ...] = ()
    if receipts:
        from imagepeel.receipts.proof import step_receipts

        proofs = step_receipts(found.steps, image)
    if settings.json:
        from imagepeel.render.json import dumps
        from imagepeel.results.process import ProcessResult

        result = ProcessResult(image=head, view=rootfs.view, execve=found.execve, prediction=found, receipts=proofs)
        click.echo(dumps("process", result))
    else:
        from imagepeel.render.terminal_process import print_prediction

        print_prediction(settings.console(), head, found, proofs)


def _matrix(settings: Settings, image: Image, rootfs: Rootfs, options: ProcessOptions) -> None:
    from imagepeel.process.matrix import matrix

    found = matrix(rootfs, image.config, options, complete=rootfs.complete)
    head = image_head(image)
    if settings.json:
        from imagepeel.render.json import dumps
        from imagepeel.results.process import MatrixCell, MatrixResult

        cells = tuple(MatrixCell(engine=c.engine, architecture=c.architecture, verdict=c.verdict) for c in found.cells)
        result = MatrixResult(
            image=head,
            view=rootfs.view,
            engines=found.engines,
            architectures=found.architectures,
            cells=cells,
            agree=found.agree,
        )
        click.echo(dumps("process", result))
    else:
        from imagepeel.render.terminal_process import print_matrix

        print_matrix(settings.console(), head, found)
