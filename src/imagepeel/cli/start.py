"""`imagepeel start`: a deployment judged against the images that it names."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel start --pod pod.yaml --image web=image.tar\n"
    "  imagepeel start --compose compose.yaml --images archives/\n"
    "  imagepeel start --image image.tar -- docker run --read-only -u 1000 shop:1.4 serve\n"
)


@click.command(epilog=_EXAMPLES)
@click.argument("line", nargs=-1, type=click.UNPROCESSED, metavar="[-- docker run ...]")
@click.option("--pod", metavar="FILE", type=click.Path(allow_dash=True), help="A pod, or a workload that makes pods.")
@click.option("--compose", metavar="FILE", type=click.Path(allow_dash=True), help="A compose file.")
@click.option("--quadlet", metavar="FILE", type=click.Path(allow_dash=True), help="A .container file of podman.")
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="[NAME=]ARCHIVE",
    shell_complete=completing.files,
    help="An archive, or one for a container or a name of an image in the file; repeat.",
)
@click.option(
    "--images", "folders", multiple=True, metavar="DIR", type=click.Path(), help="A folder of archives; repeat."
)
@click.option(
    "--cluster",
    "--engine",
    "engine",
    metavar="NAME[@VERSION]",
    shell_complete=completing.engines,
    help="Who starts it: k8s@1.36, cri-o, kube-play, docker, podman.  By default the newest one for the form.",
)
@click.option(
    "--psa",
    metavar="LEVEL[:VERSION]",
    shell_complete=completing.levels,
    help="The Pod Security level: privileged, baseline, restricted.",
)
@click.option(
    "--scc",
    metavar="NAME",
    shell_complete=completing.constraints,
    help="The security context constraint of OpenShift: restricted-v2.",
)
@common.platform
@click.option("-e", "--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of the compose file.")
@click.option("--exit-code", is_flag=True, help="Leave with 1 unless nothing is refused and every process starts.")
@common.reading
@documents.forms
@common.settings
def command(
    settings: Settings,
    /,
    line: tuple[str, ...],
    images: tuple[str, ...],
    folders: tuple[str, ...],
    exit_code: bool,
    **given: Any,
) -> None:
    """What a deployment starts: each container, probe, hook and health check of it, judged.

    The file is a pod (or a Deployment, StatefulSet, DaemonSet, Job, CronJob), a compose file or a quadlet; a command
    line of docker run stands behind --.  Of each process it says whether it starts, as whom, which mount covers the
    program, and the text that the operator reads, with the place in the file and in the image.  Nothing is run, and
    nothing is fetched: an image that is not given is unknown, and what is not in the file, such as a ConfigMap, is
    named as a condition.
    """
    from imagepeel.cli.deployment import given_images, named_archives, read_deployment  # start time
    from imagepeel.present.start import start_document  # start time
    from imagepeel.results.start import start_result  # start time

    deployment, engine = read_deployment(line, given)
    with ExitStack() as stack:
        known = given_images(settings, stack, named_archives(images, deployment), folders)
        result = start_result(deployment, engine, known)
        settings.quiet()
        settings.others_told()
        documents.show(settings, "start", result, start_document)
        used = {(one.archive, one.number) for one in result.starts}
        for image in {id(one.image): one.image for one in known}.values():
            if (image.archive.name, image.record.number) in used:
                settings.finish(image)
        if exit_code and not result.ok:
            raise click.exceptions.Exit(1)
