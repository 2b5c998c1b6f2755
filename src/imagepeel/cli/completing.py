"""What a shell completes: names that are known without an archive, and what stands in the archive of the line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from imagepeel.cli.settings import Settings
    from imagepeel.verbs import Image

Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def _of(names: Callable[[], Iterable[str]]) -> Completion:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def _engines() -> Iterable[str]:
    from imagepeel.process.engines.registry import engine_names  # start time

    return engine_names()


def _views() -> Iterable[str]:
    from imagepeel.rootfs.engines.names import VIEWS  # start time

    return VIEWS


def _rules() -> Iterable[str]:
    from imagepeel.findings.catalogue import RULES  # start time

    return (rule.id for rule in RULES)


def _images() -> Iterable[str]:
    from imagepeel.forge.gallery import NAMES  # start time

    return NAMES


def _chapters() -> Iterable[str]:
    from imagepeel.present.document import CHAPTERS  # start time

    return CHAPTERS


def _kinds() -> Iterable[str]:
    from imagepeel.forge.archives import KINDS  # start time

    return KINDS


def _runtimes() -> Iterable[str]:
    from imagepeel.process.engines.registry import runtime_names  # start time

    return runtime_names()


def _machines() -> Iterable[str]:
    from imagepeel.tables import MACHINES  # start time

    return MACHINES


def _capabilities() -> Iterable[str]:
    from imagepeel.process.engines.capabilities import ALL_CAPABILITIES  # start time

    return ("ALL", *ALL_CAPABILITIES)


def _signals() -> Iterable[str]:
    from imagepeel.process.engines.pid1 import SIGNALS  # start time

    return (f"SIG{name}" for name in SIGNALS)


def _packings() -> Iterable[str]:
    from imagepeel.forge.compress import COMPRESSIONS  # start time

    return COMPRESSIONS


def _levels() -> Iterable[str]:
    from imagepeel.deploy.pod_security import LEVELS  # start time

    return LEVELS


def _constraints() -> Iterable[str]:
    from imagepeel.deploy.openshift import NAMES  # start time

    return NAMES


def _letters() -> Iterable[str]:
    from imagepeel.rootfs.search import LETTERS  # start time

    return LETTERS


def _schemas() -> Iterable[str]:
    from imagepeel.results.registry import TYPES  # start time

    return TYPES


engines: Completion = _of(_engines)
views: Completion = _of(_views)
rules: Completion = _of(_rules)
images: Completion = _of(_images)
kinds: Completion = _of(_kinds)
chapters: Completion = _of(_chapters)
runtimes: Completion = _of(_runtimes)
machines: Completion = _of(_machines)
capabilities: Completion = _of(_capabilities)
signals: Completion = _of(_signals)
packings: Completion = _of(_packings)
levels: Completion = _of(_levels)
constraints: Completion = _of(_constraints)
letters: Completion = _of(_letters)
schemas: Completion = _of(_schemas)


def outputs(forms: Iterable[str]) -> Completion:
    """Return what completes `FORM=FILE,FORM=FILE`: the form, and behind its `=` a name of this machine."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        form, equals, path = last.partition("=")
        if not equals:
            return [f"{before}{comma}{one}=" for one in forms if one.startswith(last)]
        top, slash, start = path.rpartition("/")
        try:
            with os.scandir((top + slash) or ".") as found:
                names = sorted(
                    entry.name + ("/" if entry.is_dir() else "")
                    for entry in found
                    if entry.name.startswith(start) and entry.name.isprintable()
                )
        except OSError:
            return []
        return [f"{before}{comma}{form}={top}{slash}{name}" for name in names]

    return complete


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of this machine, for a word that may be something else, too."""
    from click.shell_completion import CompletionItem  # start time

    return [CompletionItem(incomplete, type="file")]


# ---- what stands in the archive ---------------------------------------------------------------------------------


def _archives(ctx: click.Context) -> list[str]:
    """The words of the line that may be archives, "" where none stands before what is completed."""
    from imagepeel.cli.settings import Settings  # start time

    settings = ctx.find_object(Settings)
    several = [ctx.params[name] for name in ("archives", "words") if ctx.params.get(name)]
    # Before an option without its value, click hands nothing on: what it has read of the line are the words left.
    words = [settings.archive if settings is not None else "", *(word for one in several for word in one), *ctx.args]
    # A shell opens `~` for a command that it starts, not for one that it asks.
    return [os.path.expanduser(word) for word in words if word and word != "-"] or [""]


@contextmanager
def _image(ctx: click.Context) -> Iterator[Image | None]:
    """The image that the line before is about, None where nobody can tell: a shell shows no error."""
    from imagepeel.api import open as open_archive  # start time
    from imagepeel.cli.settings import Settings  # start time
    from imagepeel.errors import ImagepeelError  # start time

    settings, archive = ctx.find_object(Settings), _archives(ctx)[0]
    if settings is None or not os.path.exists(archive):  # nothing is fetched for a key press
        yield None
        return
    try:
        opened = open_archive(archive, blobs=settings.blobs, verify=False, cache=settings.cache)
    except (ImagepeelError, OSError):
        yield None
        return
    with opened:
        try:
            image = opened.image(settings.reference, platform=settings.platform)
        except ImagepeelError:
            image = None
        yield image


def _quietly(found: Callable[[Image, Settings, str], Iterable[str]]) -> Completion:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        from imagepeel.cli.settings import Settings  # start time
        from imagepeel.errors import ImagepeelError  # start time

        with _image(ctx) as image:
            if image is None:
                return []
            try:
                return list(found(image, ctx.ensure_object(Settings), incomplete))
            except (ImagepeelError, OSError):
                return []

    return complete


def _labels(image: Image, _: Settings, incomplete: str) -> Iterator[str]:
    wanted = incomplete.upper().removeprefix("L")
    return (layer.label for layer in image.layers if layer.label[1:].startswith(wanted))


def _paths(image: Image, settings: Settings, incomplete: str) -> Iterator[str]:
    """Yield the names of a directory that begin so; a directory ends in a slash, so that the next one follows."""
    top, _, start = incomplete.rpartition("/")
    for name, node in image.view(settings.view or "runtime").scandir(f"/{top.strip('/')}"):
        shown = name.decode("utf-8", "surrogateescape")
        if shown.startswith(start) and shown.isprintable():
            yield f"{top}/{shown}{'/' if node.kind == 'dir' else ''}"


def _of_images(archive: str, told: Callable[[Image], Iterable[str]]) -> Iterable[str]:
    """Return what the images of an archive tell, each once; nothing where nobody can tell."""
    from imagepeel.api import open as open_archive  # start time
    from imagepeel.errors import ImagepeelError  # start time

    if not os.path.exists(archive):  # nothing is fetched for a key press
        return ()
    try:
        with open_archive(archive, verify=False) as opened:
            names = [name for image in opened.images() for name in told(image)]
    except (ImagepeelError, OSError):
        return ()
    return dict.fromkeys(name for name in names if name and name.isprintable())


def references(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the images of the archive, and their numbers as `#2`."""
    return _references(_archives(ctx)[0], incomplete)


def second_references(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The same of the second archive of the line, or of the only one."""
    return _references(_archives(ctx)[:2][-1], incomplete)


def _references(archive: str, incomplete: str) -> list[str]:
    names = _of_images(archive, lambda image: (*image.names, f"#{image.record.number}"))
    return [name for name in names if name.startswith(incomplete)]


def platforms(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The platforms of the images of an archive."""
    names = _of_images(_archives(ctx)[0], lambda image: (image.platform,))
    return [name for name in names if name.startswith(incomplete)]


labels: Completion = _quietly(_labels)
paths: Completion = _quietly(_paths)


def archives_and_paths(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem] | list[str]:
    """Names of this machine until the archives are named that `diff` compares, then paths of the first one."""
    named = [word for word in _archives(ctx) if os.path.exists(word)]
    wanted = 1 if ctx.params.get("layers") else 2
    return paths(ctx, param, incomplete) if len(named) >= wanted else files(ctx, param, incomplete)
