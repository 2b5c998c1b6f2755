"""`imagepeel diff`: what differs between two images, or between two layers of one."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from imagepeel.cli import asked, common, completing, documents
from imagepeel.cli.settings import Settings
from imagepeel.errors import ANSWER_IS_NO, MissingBlob, UsageError

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs
    from imagepeel.verbs import Image

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel diff old.tar new.tar\n"
    "  imagepeel diff old.tar new.tar /etc/nginx --text\n"
    "  imagepeel diff image.tar --layer 2 --layer 5\n"
    "  imagepeel diff old.tar new.tar --exit-code --json | jq -r '.result.paths[].path'\n"
)


@click.command(epilog=_EXAMPLES)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="ARCHIVE [ARCHIVE] [PATH]",
    shell_complete=completing.archives_and_paths,
)
@common.opening
@click.option(
    "--image-b",
    "second",
    metavar="REF",
    shell_complete=completing.second_references,
    help="Which image of the second archive; by default as --image.",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    type=common.LayerNumber(),
    metavar="N",
    shell_complete=completing.labels,
    help="Twice: one image after each.",
)
@click.option(
    "--text", "texts", is_flag=True, help="Show how small text files differ; always so for a PATH that is one."
)
@click.option("--strict", is_flag=True, help="Compare modification times too.")
@click.option("--quick", is_flag=True, help="Believe equal size and CRC-32; do not compute SHA-256 of files.")
@click.option("--all", "every", is_flag=True, help="List every path of a directory that one side lacks.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when anything differs.")
@common.view
@documents.forms
@common.settings
def command(
    settings: Settings,
    *,
    words: tuple[str, ...],
    second: str | None,
    layers: tuple[int, ...],
    texts: bool,
    strict: bool,
    quick: bool,
    every: bool,
    exit_code: bool,
) -> None:
    """What differs between two images: layers, config, the process, paths and their fields.

    With --layer given twice, one archive: the filesystem after each of the two layers.  With PATH, only that path and
    what is below it.

    Two files are the same when their SHA-256 is; modification times count only with --strict.  Layers that both
    images share from the base on are not looked at again.
    """
    if layers and len(layers) != 2:
        raise UsageError("--layer is needed twice", hint="diff image.tar --layer 2 --layer 5")
    count = 1 if layers else 2
    if not count <= len(words) <= count + 1:
        expected = "one archive" if layers else "two archives"
        raise UsageError(f"diff needs {expected}, and at most one path after", hint="see imagepeel diff --help")
    path = asked.absolute(words[count]) if len(words) > count else b"/"
    common.only_one_stdin(*words[:count])
    if settings.html is not None:
        for word in words[:count]:
            settings.keep_archive(settings.html, word)
    from imagepeel.present.diff import diff_document  # start time
    from imagepeel.results.diff import diff_result  # start time

    with ExitStack() as stack:
        image = _image(settings, stack, words[0], not quick)
        if layers:
            sides = _at_layers(image, settings.view, layers)
            result = diff_result(image, image, *sides, path, layers=layers, texts=texts, strict=strict, quick=quick)
            images = [image]
        else:
            if second is not None:
                settings.reference = second
            other = _image(settings, stack, words[1], not quick)
            fronts = (settings.rootfs(image), settings.rootfs(other))
            result = diff_result(image, other, *fronts, path, layers=(), texts=texts, strict=strict, quick=quick)
            images = [image, other]
        documents.show(settings, "diff", result, lambda found: diff_document(found, every=every))
        for one in images:
            settings.finish(one, rootfs=None if layers else settings.rootfs(one))
    if exit_code and result.different:
        click.get_current_context().exit(ANSWER_IS_NO)
    if exit_code and result.different is None:
        raise MissingBlob("nothing that is here differs, and a part is missing", hint="copy both images whole")


def _image(settings: Settings, stack: ExitStack, word: str, digests: bool) -> Image:
    return settings.scanned(stack.enter_context(settings.open(word)), digests=digests)


def _at_layers(image: Image, view: str, layers: tuple[int, ...]) -> tuple[Rootfs, Rootfs]:
    low, high = sorted(layers)
    for index in (low, high):
        asked.pick_layer(image, index)
    if low == high:
        raise UsageError("both layers are the same one", hint="name two different layers")
    return image.view_at(low, view), image.view_at(high, view)
