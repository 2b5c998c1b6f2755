"""`imagepeel views`: where engines disagree about the filesystem of an image."""

from __future__ import annotations

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings
from imagepeel.results.head import image_head

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel views image.tar\n"
    "  imagepeel views image.tar --only runtime,docker@28\n"
    "  imagepeel views image.tar --json | jq -r '.result.notes[].code' | sort | uniq -c\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.option(
    "--only",
    metavar="VIEW,VIEW",
    shell_complete=completing.views,
    help="Compare these views alone; docker@28 and containerd@2.3 are more.",
)
@documents.forms
@common.settings
def command(settings: Settings, only: str | None) -> None:
    """Show where engines disagree about this image, path by path, and why.

    runtime is containerd 2.4 with overlayfs, spec the words of the image-spec, sequential what rootless engines and
    those without overlayfs make, docker (29.7) and podman their own stores.  Times of directories and link counts are
    not compared.
    """
    with settings.open() as archive:
        from imagepeel.findings.semantics.compare import compare  # start time
        from imagepeel.present.views import views_document  # start time
        from imagepeel.results.views import views_result  # start time
        from imagepeel.rootfs.engines.names import VIEWS  # start time

        image = settings.filesystem(archive)
        names = tuple(dict.fromkeys(part.strip() for part in only.split(",") if part.strip())) if only else VIEWS
        result = views_result(image_head(image), compare(image, names))
        documents.show(settings, "views", result, views_document)
        settings.finish(image)
