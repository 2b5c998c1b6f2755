"""`imagepeel loadable`: who takes the archive into a store, under which name and ID, or refuses it."""

from __future__ import annotations

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel loadable image.tar\n"
    "  imagepeel loadable image.tar --json | jq -r '.result.images[].answers[] | .tool + \" \" + .outcome'\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@documents.forms
@common.settings
def command(settings: Settings) -> None:
    """Say who takes the archive: docker load, podman load, ctr, nerdctl, kind, skopeo and buildah.

    Before anything starts, somebody loads the file.  Each tool takes it, under these names and with this image ID,
    or refuses it with this text.  Nothing is run: the answers follow what was measured with real programs, or read in
    their source, and the last column says which.  Without --image all images of the archive are judged.  Of an archive
    whose documents nobody can read, it says what each tool has to say of them.
    """
    with settings.open(unread=True) as archive:
        from imagepeel.present.loadable import loadable_document  # start time
        from imagepeel.results.loadable import first_images, loadable_result  # start time

        chosen = not archive.stands_in and (settings.reference is not None or settings.platform is not None)
        images = [settings.image(archive)] if chosen else archive.delivered()
        for image in first_images(images):
            image.scan()
            settings.warn_of_unread(image)
        settings.quiet()
        documents.show(settings, "loadable", loadable_result(archive, images), loadable_document)
        if archive.stands_in:
            settings.finish_unread(archive)
        elif len(images) == 1:
            settings.finish(images[0])
        else:
            settings.finish_documents(archive)
