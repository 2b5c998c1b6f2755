"""`imagepeel process`: which process the image becomes, or how the start fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from imagepeel.cli import common, completing, container, documents
from imagepeel.cli.settings import Settings
from imagepeel.errors import ANSWER_IS_NO

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagepeel.present.document import Document
    from imagepeel.process.spec.options import ProcessOptions
    from imagepeel.results.process import ProcessOutput
    from imagepeel.verbs import Image

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel process image.tar\n"
    "  imagepeel process image.tar --engine k8s --run-as-non-root\n"
    "  imagepeel process image.tar --entrypoint sh --user app -- -c id\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@container.words
@click.option(
    "--engine",
    metavar="NAME[@VERSION]",
    shell_complete=completing.engines,
    help="docker, podman, k8s, cri-o, containerd, nerdctl, gvisor, runc or crun.  [docker@29.7]",
)
@click.option(
    "--runtime",
    metavar="NAME[@VERSION]",
    shell_complete=completing.runtimes,
    help="The runtime below the engine: runc, crun or runsc.",
)
@click.option(
    "--host-arch",
    metavar="ARCH",
    shell_complete=completing.machines,
    help="Architecture of the machine; by default that of the image.",
)
@container.options
@click.option("--read-only", is_flag=True, help="With a root filesystem that may not be written.")
@click.option(
    "-v", "--volume", "volumes", multiple=True, metavar="NAME:PATH", help="Mount a volume, as docker run does; repeat."
)
@click.option("--init", is_flag=True, help="Let the engine put its small init in front.")
@click.option("--stop-signal", metavar="SIGNAL", shell_complete=completing.signals, help="Replace the stop signal.")
@click.option(
    "--supplemental-groups-policy",
    type=click.Choice(("Merge", "Strict")),
    help="The field of a pod of that name; Strict leaves the image's groups out.",
)
@click.option("--user-namespace", is_flag=True, help="A user namespace of its own (a pod: hostUsers: false).")
@click.option("--run-as-non-root", is_flag=True, help="The Kubernetes setting runAsNonRoot.")
@click.option("--rootless", is_flag=True, help="An engine without root rights.")
@click.option("--verbose", is_flag=True, help="Add the trace, the environment, and what is not in the tarball.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 unless the verdict is RUNS on this engine.")
@click.option("--matrix", is_flag=True, help="Every engine on every common architecture, one verdict a cell.")
@common.receipts("Below each step, the shell command that shows the same.")
@common.view
@documents.forms
@common.settings
def command(settings: Settings, /, args: tuple[str, ...], matrix: bool, receipts: bool, **given: Any) -> None:
    """Which process the image becomes, or how its start fails.

    Nothing is run.  The prediction follows what the engine, the runtime, the kernel and the loader do with this
    image, step by step.  The answer takes one screen: the verdict, on failure the text that an operator sees, why and
    what to do, the request to the kernel, and the verdict again.  --verbose adds every step with the layer that
    brought each file; --receipts adds the command that shows each step, and implies it.

    Words after -- replace the image's command, as with docker run.

    Each engine has the filesystem that its own store makes of the layers; --view takes another one instead, and
    nobody asks then whether the image can be loaded.
    """
    verbose, exit_code = given.pop("verbose"), given.pop("exit_code")
    if exit_code and matrix:
        raise click.UsageError("--exit-code asks about one engine: choose it with --engine and leave --matrix out")
    with settings.open(tables=True) as archive:
        image = settings.scanned(archive)
        options = container.process_options(args, given)
        given_view = click.get_current_context().get_parameter_source("view") is not ParameterSource.DEFAULT
        view = settings.view if given_view else ""
        result = _matrix(image, options, view) if matrix else _predict(image, options, receipts, view)
        documents.show(settings, "process", result, _document(verbose or receipts), receipts=receipts)
        settings.finish(image, rootfs=image.view(result.view or settings.view))
        if all(verdict.kind == "UNKNOWN" for verdict in result.verdicts):
            settings.require_layers(image, "how it starts")
    if exit_code and not all(verdict.runs for verdict in result.verdicts):
        click.get_current_context().exit(ANSWER_IS_NO)


def _document(whole: bool) -> Callable[[ProcessOutput], Document]:
    if whole:
        from imagepeel.present.process import process_document  # start time

        return process_document
    from imagepeel.present.answer import answer_document  # start time

    return answer_document


def _predict(image: Image, options: ProcessOptions, receipts: bool, view: str) -> ProcessOutput:
    from imagepeel.process.image_prediction import predict_image  # start time
    from imagepeel.results.process import process_result  # start time

    return process_result(image, predict_image(image, options, view=view), receipts=receipts)


def _matrix(image: Image, options: ProcessOptions, view: str) -> ProcessOutput:
    from imagepeel.process.matrix import matrix_of_image  # start time
    from imagepeel.results.process import matrix_result  # start time
    from imagepeel.rootfs.view import known_view  # start time

    return matrix_result(image, known_view(view) if view else "", matrix_of_image(image, options, view=view))
