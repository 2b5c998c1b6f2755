"""`imagepeel cache`: what earlier runs left in the user's cache directory, and how to be rid of it."""

from __future__ import annotations

import click

from imagepeel.cli import common
from imagepeel.cli.settings import Settings


@click.group(no_args_is_help=False, epilog="\b\nExamples:\n  imagepeel cache info\n  imagepeel cache clear")
def command() -> None:
    """The indexes of large layers that are kept between runs.

    They stand in $XDG_CACHE_HOME/imagepeel (else ~/.cache/imagepeel), at most 1 GiB together; those not used for
    longest go first.  --no-cache of any command neither uses nor writes them.
    """


@command.command()
@common.json
@common.output
@common.settings
def info(settings: Settings) -> None:
    """Where the cache is, how large it is, and what is in it."""
    from imagepeel.archive.cache_dir import CacheDir  # start time
    from imagepeel.render.escape import terminal  # start time
    from imagepeel.results.cache import CacheResult  # start time
    from imagepeel.text import number, size  # start time

    folder = CacheDir()
    files = folder.files()
    kinds = {
        "index": "indexes of layers",
        "stamp": "known files",
        "heads": "pieces of files",
        "facts": "sums of images",
    }
    counts = {kind: sum(file.name.endswith(f".{kind}") for file in files) for kind in kinds}
    total = sum(file.size for file in files)
    if settings.json:
        from imagepeel.render.json import dumps  # start time

        result = CacheResult(
            path=folder.path, size=total, most=folder.most, files=len(files), problem=folder.problem, **counts
        )
        click.echo(dumps("cache", result))
        return
    click.echo(f"{terminal(folder.path)}: {size(total)} of at most {size(folder.most)}")
    for kind, words in kinds.items():
        if counts[kind]:
            stored = sum(file.size for file in files if file.name.endswith(f".{kind}"))
            click.echo(f"  {number(counts[kind]):>6}  {words}, {size(stored)}")
    if folder.problem:
        click.echo(f"It is not used: {terminal(folder.problem)}.")


@command.command()
@common.output
@common.settings
def clear(settings: Settings) -> None:
    """Remove everything in it; other files in the directory are left alone."""
    from imagepeel.archive.cache_dir import CacheDir  # start time
    from imagepeel.text import plural, size  # start time

    folder = CacheDir()
    count, freed = folder.clear()
    click.echo(f"removed {plural(count, 'file')}, {size(freed)}")
    if folder.problem:
        settings.warn(folder.problem)
        settings.finish_findings()
