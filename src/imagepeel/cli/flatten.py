"""`imagepeel flatten`: the filesystem of a view as one tar."""

from __future__ import annotations

import os
import sys

import click

from imagepeel.cli import common
from imagepeel.cli.settings import Settings
from imagepeel.errors import UsageError
from imagepeel.render.escape import terminal


@click.command()
@common.archive
@click.option(
    "-o", "--output", metavar="FILE", required=True, type=click.Path(), help="The tar to write; - is standard output."
)
@click.option(
    "--best-effort", is_flag=True, help="Write also what a runtime would refuse to unpack, or what lacks a layer."
)
@common.view
@common.json
@common.settings
def command(settings: Settings, *, output: str, best_effort: bool) -> None:
    """Write the filesystem of an image as one tar: no layers, no whiteouts.

    The same image gives the same bytes: entries sorted by path, hardlinks kept, extended attributes as PAX records.
    Directories that no layer describes have no time of their own; they get SOURCE_DATE_EPOCH, or 0.

    FILE appears only when it is whole; one that is there already is replaced then.  Where FILE is a link, what it
    names is written, also when that is not there yet.
    """
    from imagepeel.export.flatten import flatten, flatten_to  # start time

    to_stdout = output == "-"
    if to_stdout and (settings.json or sys.stdout.isatty()):
        raise UsageError("a tar does not belong there", hint="name a file with -o, or redirect standard output")
    epoch = _epoch()
    settings.keep_archive(output)
    with settings.open() as archive:
        image = settings.scanned(archive)
        if not best_effort:
            settings.finish(image)
        rootfs = settings.rootfs(image)
        if to_stdout:
            report = flatten(rootfs, sys.stdout.buffer, best_effort=best_effort, epoch=epoch)
            sys.stdout.buffer.flush()
        else:
            report = flatten_to(rootfs, output, best_effort=best_effort, epoch=epoch)
        if settings.json:
            from imagepeel.render.json import dumps  # start time

            click.echo(dumps("flatten", report))
        elif not to_stdout:
            from imagepeel.text import plural, size  # start time

            click.echo(
                f"{terminal(output)}: {plural(report.entries, 'entry')}, {size(report.size)} ({report.view} view)"
            )
            click.echo(f"sha256:{report.sha256}")
        for omission in report.omissions:
            settings.warn(f"left out: {omission.count} {omission.what}, such as {omission.example}")
        if best_effort:
            settings.finish(image, rootfs=rootfs)
        else:
            settings.finish_findings()


def _epoch() -> int | None:
    value = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 12):
        raise UsageError(f"SOURCE_DATE_EPOCH is {value!r}", hint="set it to seconds since 1970, or unset it")
    return int(value)
