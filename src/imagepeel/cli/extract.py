"""`imagepeel extract`: the filesystem of a view as a directory."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from imagepeel.cli import asked, common, completing
from imagepeel.cli.settings import Settings
from imagepeel.render.escape import terminal

if TYPE_CHECKING:
    from imagepeel.export.report import ExtractReport
    from imagepeel.rootfs.view import Rootfs


_SHOWN = 10
"""Links that lead out of the directory and are printed."""


@click.command()
@common.archive
@click.argument("directory", metavar="DIR", type=click.Path())
@click.argument("path", metavar="[PATH]", default="/", shell_complete=completing.paths)
@click.option(
    "--preserve",
    is_flag=True,
    help="Keep owners, devices, set-uid bits and extended attributes.  Needs root; only for images that you trust.",
)
@click.option(
    "--best-effort", is_flag=True, help="Write also what a runtime would refuse to unpack, or what lacks a layer."
)
@click.option("--check-case", is_flag=True, help="Refuse names that differ only in case, also where the disk does not.")
@click.option(
    "--no-escaping-links",
    is_flag=True,
    help="Leave out symbolic links that lead out of DIR; else they are kept and listed.",
)
@common.view
@common.json
@common.settings
def command(
    settings: Settings,
    *,
    directory: str,
    path: str,
    preserve: bool,
    best_effort: bool,
    check_case: bool,
    no_escaping_links: bool,
) -> None:
    """Write the filesystem of an image into DIR, which must be absent or empty.

    With PATH, a directory of the image, DIR gets what is in it; `imagepeel cat` writes a single file.

    Nothing outside DIR is touched, whatever the image says.  By default everything belongs to you, and devices,
    set-uid bits and extended attributes are left out; what was left out is listed.

    While it is written, DIR holds the file .imagepeel-partial: where it stands, the tree is incomplete.
    """
    from imagepeel.export.extract import MARKER, materialize  # start time

    with settings.open(tables=True) as archive:
        image = settings.scanned(archive)
        if not best_effort:
            settings.finish(image)
        rootfs = settings.rootfs(image)
        _require_directory(rootfs, path)
        try:
            report = materialize(
                rootfs,
                directory,
                preserve=preserve,
                best_effort=best_effort,
                check_case=check_case,
                escaping_links=not no_escaping_links,
                top=asked.absolute(path),
            )
        except BaseException:
            if os.path.lexists(os.path.join(directory, MARKER.decode())):
                sys.stderr.write(f"note: {terminal(directory)} is incomplete, as {MARKER.decode()} in it says\n")
            raise
        if settings.json:
            from imagepeel.render.json import dumps  # start time

            click.echo(dumps("extract", report))
        else:
            for line in report_lines(report):
                click.echo(line)
        if best_effort:
            settings.finish(image, rootfs=rootfs)


def _require_directory(rootfs: Rootfs, path: str) -> None:
    """UsageError for a file, which says what writes one.  PathNotFound when there is nothing."""
    if rootfs.lookup(asked.absolute(path)).kind != "dir":
        from imagepeel.errors import UsageError  # start time

        raise UsageError(f"{path} is no directory", hint=f"imagepeel cat ARCHIVE {path} > FILE writes a single file")


def report_lines(report: ExtractReport) -> list[str]:
    """Return the report in lines for people."""
    from imagepeel.text import plural, size  # start time

    counts = (
        plural(report.directories, "directory"),
        plural(report.files, "file"),
        plural(report.hardlinks, "hardlink"),
        plural(report.symlinks, "symlink"),
        plural(report.devices, "device"),
        plural(report.fifos, "fifo"),
    )
    parts = ", ".join(words for words in counts if not words.startswith("0 "))
    holes = f" and {size(report.hole_bytes)} of holes" if report.hole_bytes else ""
    shown = terminal(report.directory)
    out = [f"{shown}: {parts or 'nothing'}; {size(report.bytes)} of content{holes} ({report.view} view)"]
    width = max((len(f"{o.count:,}") for o in report.omissions), default=0)
    if report.omissions:
        out.append("left out:" if report.preserve else "left out (root can keep most of it with --preserve):")
    for omission in report.omissions:
        out.append(f"  {omission.count:>{width},}  {terminal(omission.what)}, such as {terminal(omission.example)}")
    return out + _escaping(report)


def _escaping(report: ExtractReport) -> list[str]:
    """Return the links that lead out of the directory, where they were kept."""
    from imagepeel.text import plural  # start time

    links = report.escaping
    if not links or any("lead out of" in omission.what for omission in report.omissions):
        return []
    lead = plural(report.escaping_links, "symbolic link leads", "symbolic links lead")
    out = [f"{lead} out of the directory on this machine; copy with cp -P, or leave out with --no-escaping-links:"]
    out += [f"  {terminal(link.path)} -> {terminal(link.target)}" for link in links[:_SHOWN]]
    more = report.escaping_links - len(links[:_SHOWN])
    return out + ([f"  {more:,} more"] if more else [])
