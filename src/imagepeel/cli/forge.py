"""`imagepeel forge`: write a built-in teaching image, or one from a description."""

from __future__ import annotations

import hashlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from imagepeel.cli import common, completing
from imagepeel.cli.settings import Settings
from imagepeel.errors import UsageError
from imagepeel.export.whole_file import replacing, writing
from imagepeel.receipts.quoting import file_word
from imagepeel.render.escape import terminal
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.forge import ArchiveKind

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel forge --list\n"
    "  imagepeel forge shop shop.tar\n"
    "  imagepeel forge hello - | imagepeel explain -\n"
)


@click.command(epilog=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="[NAME] OUT", shell_complete=completing.images)
@click.option(
    "--from", "spec", metavar="SPEC", type=click.Path(), help="A description in JSON or TOML instead of NAME."
)
@click.option("--kind", metavar="KIND", shell_complete=completing.kinds, help="The kind of archive; see --list.")
@click.option(
    "--compression",
    metavar="NAME",
    shell_complete=completing.packings,
    help="How layers are packed: none, gzip, zstd, ...",
)
@click.option("--force", is_flag=True, help="Overwrite OUT.")
@click.option("--list", "listing", is_flag=True, help="List the teaching images and the kinds of archives.")
@common.output
@common.json
@common.settings
def command(
    settings: Settings,
    *,
    words: tuple[str, ...],
    spec: str | None,
    kind: str | None,
    compression: str | None,
    force: bool,
    listing: bool,
) -> None:
    """Make a teaching image, good or broken on purpose.

    `imagepeel forge shop shop.tar` writes a built-in image, `imagepeel forge --from spec.json out.tar` one from a
    description.  The same words give the same bytes on every machine.  OUT may be - for standard output.  Whatever
    looks like a secret is invented.
    """
    if listing:
        _list(settings)
        return
    if spec is not None:
        if len(words) != 1:
            raise click.UsageError("with --from give one OUT and no NAME")
        name, out = os.path.basename(spec), words[0]
    else:
        if len(words) != 2:
            raise click.UsageError("give NAME and OUT, or --list to see the names")
        name, out = words
    settings.archive = "" if out == "-" else out
    from imagepeel import forge  # start time
    from imagepeel.forge.compress import known_packing  # start time

    recipe = forge.load(spec) if spec is not None else forge.Recipe(specs=(forge.build(name),))
    chosen = forge.archive_kind(recipe.specs, kind or recipe.kind)
    packing = known_packing(compression) if compression else recipe.compression
    folder = chosen in forge.FOLDER_KINDS
    if out == "-" and folder:
        raise UsageError(f"the {chosen} kind is a directory: it cannot go to standard output", hint="name it")
    if out == "-" and sys.stdout.isatty():
        raise UsageError("an archive is nothing for a terminal", hint="name a file, or pipe it into another command")
    shape: dict[str, Any] = {"outer": recipe.outer, "prefix": recipe.prefix, "blocking": recipe.blocking}
    data = b"" if folder else forge.to_bytes(recipe.specs, chosen, compression=packing, **shape)
    if out == "-":
        sys.stdout.buffer.write(data)
        return
    if folder:
        with writing(out):
            forge.write(recipe.specs, out, chosen, compression=packing)
    else:
        _write(out, data, force)
    about = next((one.description for one in recipe.specs if isinstance(one, forge.ImageSpec)), "")
    _report(settings, name, out, chosen, about)


def _write(out: str, data: bytes, force: bool) -> None:
    """Write a file as a whole or not at all.  UsageError when another one would be lost without `force`."""
    if os.path.lexists(out) and not force:
        if os.path.isfile(out) and os.path.getsize(out) == len(data):
            with open(out, "rb") as old:
                if old.read() == data:
                    return
        raise UsageError(f"{out} exists and is something else", hint="use another name, or --force to overwrite it")
    with replacing(out) as file:
        file.write(data)


def _report(settings: Settings, name: str, out: str, kind: ArchiveKind, description: str) -> None:
    from imagepeel.results.forge import ForgeResult  # start time

    folder = os.path.isdir(out)
    size, sha256 = 0, None
    if not folder:
        digest = hashlib.sha256()
        with open(out, "rb") as file:
            while piece := file.read(1 << 20):
                size += len(piece)
                digest.update(piece)
        sha256 = digest.hexdigest()
    else:
        size = sum(os.path.getsize(os.path.join(top, one)) for top, _, names in os.walk(out) for one in names)
    result = ForgeResult(name=name, kind=kind, path=out, size=size, sha256=sha256, description=description)
    if settings.json:
        from imagepeel.render.json import dumps  # start time

        click.echo(dumps("forge", result))
        return
    click.echo(f"{terminal(out)}   {plural(size, 'byte')}   {kind}")
    if description:
        click.echo(terminal(description))
    click.echo(f"look at it: imagepeel layers {file_word(out)}")


def _list(settings: Settings) -> None:
    from imagepeel import forge  # start time
    from imagepeel.results.forge import ForgeList, ForgeName  # start time

    images = tuple(ForgeName(name=n, description=forge.describe(n), good=n in forge.GOOD) for n in forge.NAMES)
    kinds = forge.KINDS
    if settings.json:
        from imagepeel.render.json import dumps  # start time

        click.echo(dumps("forge", ForgeList(images=images, kinds=kinds)))
        return
    width = max(len(name) for name in (*forge.NAMES, *kinds))
    click.echo("These unpack and run:")
    for one in images:
        if one.good:
            click.echo(f"  {one.name:<{width}}  {one.description}")
    click.echo("\nThese have one thing wrong each:")
    for one in images:
        if not one.good:
            click.echo(f"  {one.name:<{width}}  {one.description}")
    click.echo("\nKinds of archives (--kind):")
    for kind, about in kinds.items():
        click.echo(f"  {kind:<{width}}  {about}")
