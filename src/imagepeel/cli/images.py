"""`imagepeel images`: everything that an archive holds and what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imagepeel.cli import common
from imagepeel.cli.settings import Settings
from imagepeel.results.tables import ImageRow, ImagesResult

if TYPE_CHECKING:
    from imagepeel.api import Archive
    from imagepeel.archive.records import ImageRecord


@click.command(epilog="\b\nExamples:\n  imagepeel images image.tar")
@common.archive
@common.json
@common.settings
def command(settings: Settings) -> None:
    """What the archive holds: every image, attestation and artifact.

    No layer is read for this.  Attestations, signatures, charts and other artifacts are stored like images and are
    named as what they are; only images become processes.  The number in front chooses an image: --image '#2'.
    """
    with settings.open() as archive:
        result = images_result(archive)
        settings.quiet()
        if settings.json:
            from imagepeel.render.json import dumps

            click.echo(dumps("images", result))
        else:
            from imagepeel.render.terminal_tables import print_images

            print_images(settings.console(), result)
        settings.finish_documents(archive)


def images_result(archive: Archive) -> ImagesResult:
    """Return what an archive holds, from its documents alone."""
    container = archive
    return ImagesResult(
        archive=archive.name,
        kind=archive.kind,
        form=container.form,
        rule=archive.rule.id,
        recognised=archive.rule.sentence,
        wrapping=container.wrapping,
        images=tuple(_row(record) for record in archive.records),
        unreferenced=tuple(member.name for member in container.unreferenced),
        anomalies=tuple(dict.fromkeys([*archive.anomalies, *(a for r in archive.records for a in r.anomalies)])),
    )


def _row(record: ImageRecord) -> ImageRow:
    platform = record.config.platform if record.config is not None else ""
    digest = record.digest
    choose = f"--image '#{record.number}'"
    return ImageRow(
        number=record.number,
        kind=record.kind,
        kind_reason=record.kind_reason,
        names=record.tags,
        platform=platform or (str(record.platform) if record.platform is not None else ""),
        layers=len(record.layers),
        blob_size=sum(layer.size or 0 for layer in record.layers if layer.state == "present"),
        digest=digest,
        image_id=record.image_id,
        complete=record.complete,
        missing=record.missing,
        subject=record.subject,
        artifact_type=record.artifact_type,
        grammars=record.grammars,
        labels=record.labels,
        lost=record.lost,
        choose=choose if record.runnable else "",
    )
