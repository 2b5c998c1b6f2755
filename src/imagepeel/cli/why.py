"""`imagepeel why`: an error text, an exit code or a signal, decoded; with an image, which cause it is."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings
from imagepeel.errors import ANSWER_IS_NO, UsageError

if TYPE_CHECKING:
    from imagepeel.api import Archive

_EXAMPLES = (
    "\b\nExamples:\n"
    "  kubectl describe pod p | imagepeel why -\n"
    "  imagepeel why image.tar 'exec /entrypoint.sh: no such file or directory'\n"
    "  imagepeel why 127 --engine podman\n"
    "  imagepeel why SIGKILL --json | jq '.result.readings[].causes'\n"
)


@click.command(epilog=_EXAMPLES)
@click.argument(
    "words", nargs=-1, required=True, metavar="[ARCHIVE] TEXT|CODE|SIGNAL|-", shell_complete=completing.files
)
@common.opening
@click.option(
    "--engine",
    default="",
    metavar="NAME[@VERSION]",
    shell_complete=completing.engines,
    help="Who said it: docker, podman, k8s, cri-o, containerd, nerdctl, gvisor, runc or crun.  By default all.",
)
@click.option("--all", "every", is_flag=True, help="Every cause with its command, of everything that the text says.")
@documents.forms
@common.settings
def command(settings: Settings, words: tuple[str, ...], engine: str, every: bool) -> None:
    """Decode an error text, an exit code or a signal: who says it, about what, and every cause that prints it.

    The text may stand in anything: events of a kubelet, docker ps, compose, journald.  Causes come likeliest first,
    each with the one command that tells it from the others.  - reads standard input.

    A word that is an archive is the image, wherever it stands: then the start is predicted, and the cause proved.

    Exits with 1 where nothing is recognised: that is no proof that nothing is wrong.
    """
    from imagepeel.present.why import why_document  # start time
    from imagepeel.results.why import why_result  # start time

    with ExitStack() as stack:
        archive, rest = _archive(settings, stack, words)
        image = settings.scanned(archive) if archive is not None else None
        text, unread = _text(settings, rest)
        result = why_result(text, image=image, engine=engine, unread=unread)
        documents.show(
            settings, "why", result, lambda found: why_document(found, every=every), others=image is not None
        )
        if image is not None:
            settings.finish(image, rootfs=image.rootfs)
            if all(proof.verdict.kind == "UNKNOWN" for proof in result.proofs):
                settings.require_layers(image, "how it starts")
    if not result.recognised and not result.own_words:
        click.get_current_context().exit(ANSWER_IS_NO)


def _archive(settings: Settings, stack: ExitStack, words: tuple[str, ...]) -> tuple[Archive | None, list[str]]:
    """The archive among the words, opened, and the others.  UsageError for two of them."""
    from imagepeel.errors import NotAnImage  # start time

    found: Archive | None = None
    rest: list[str] = []
    for word in words:
        if word == "-" or not _may_be_an_image(word):
            rest.append(word)
            continue
        try:
            opened = stack.enter_context(settings.open(word))
        except NotAnImage:
            if len(words) == 1 and os.path.isfile(word):
                raise UsageError(
                    f"{word} is a file, and no image", hint=f"pipe it in: imagepeel why - < {word}"
                ) from None
            settings.archive = ""
            rest.append(word)
            continue
        if found is not None:
            raise UsageError("why takes one image", hint="give one archive, and the text")
        found = opened
        if settings.html is not None:
            settings.keep_archive(settings.html, word)
    return found, rest


def _may_be_an_image(word: str) -> bool:
    """Whether a word is to be opened: it is there, or its name says that it should be."""
    from imagepeel.sources.words import parse  # start time

    return os.path.exists(word) or parse(word) is not None or (" " not in word and word.endswith(".tar"))


def _text(settings: Settings, words: list[str]) -> tuple[str, int]:
    """The text of the words, of standard input for `-`, and how much is left out.  UsageError where there is none."""
    from imagepeel.decoding.clean import bounded, readable  # start time

    unread = 0
    if "-" in words:
        if len(words) > 1:
            raise UsageError("- and a text were given", hint="give one of them")
        if sys.stdin is None:
            raise UsageError("standard input is closed", hint="pipe a text into the command")
        settings.archive = settings.archive or "-"
        data, unread = bounded(sys.stdin.buffer)
        text = readable(data)
    else:
        text = readable(" ".join(words).encode("utf-8", "surrogateescape"))
    if not text.strip():
        raise UsageError("there is no text to decode", hint="give an error text, an exit code or a signal, or -")
    return text, unread
