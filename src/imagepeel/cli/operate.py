"""`imagepeel operate`: The Container Operator's Manual for an image, or for a deployment of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings
from imagepeel.errors import UsageError

if TYPE_CHECKING:
    from imagepeel.deploy.wanted import Deployment

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel operate image.tar\n"
    "  imagepeel operate image.tar --html manual.html\n"
    "  imagepeel operate image.tar --markdown > OPERATING.md\n"
    "  imagepeel operate --pod pod.yaml\n"
)


@click.command(epilog=_EXAMPLES)
@common.optional_archive
@click.option("--pod", metavar="FILE", type=click.Path(), help="A pod, or a workload that makes pods.")
@click.option("--compose", metavar="FILE", type=click.Path(), help="A compose file.")
@common.receipts()
@documents.forms
@common.settings
def command(settings: Settings, pod: str | None, compose: str | None, receipts: bool) -> None:
    """The Container Operator's Manual for an image: strengths, weaknesses, friends, headcount, and production.

    Each answer is yes, no, depends or unknown, with the facts that prove it; nothing is scored and nothing guessed.
    What no tarball can answer stands at the end as questions.

    A pod or a compose file answers more: ports and probes, state and volumes, what watches it, who owns it.  What it
    does not say stays a question.  Without an archive the manual is that of the deployment alone.
    """
    deployment = _deployment(pod, compose)
    if not settings.archive:
        if deployment is None:
            raise UsageError("there is nothing to tell of", hint="name an ARCHIVE, or give --pod or --compose")
        from imagepeel.present.manual.deployed import operate_deployment  # start time

        documents.show_story(settings, "operate", operate_deployment(deployment), receipts=receipts)
        return
    with settings.open() as archive:
        image = settings.filesystem(archive, digests=True)
        story = image.operators_manual()
        if deployment is not None:
            from imagepeel.present.manual.deployed import with_deployment  # start time

            story = with_deployment(story, deployment)
        documents.show_story(settings, "operate", story, receipts=receipts)
        settings.finish(image)


def _deployment(pod: str | None, compose: str | None) -> Deployment | None:
    """The deployment of a call, None without one.  UsageError for two."""
    if pod is not None and compose is not None:
        raise UsageError("--pod and --compose are two deployments", hint="give one of them")
    file = pod if pod is not None else compose
    if file is None:
        return None
    from imagepeel.deploy.forms import USUAL, Asked, FileForm, read_file  # start time

    form: FileForm = "pod" if pod is not None else "compose"
    return read_file(form, file, Asked(engine=USUAL[form]))
