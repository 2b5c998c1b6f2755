"""`imagepeel.survey`: the facts of many images as tables."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from imagepeel._version import __version__
from imagepeel.api import Archive
from imagepeel.errors import UsageError
from imagepeel.fleet.crew import Crew, cores
from imagepeel.fleet.parts import Form, PartWriter, default_form, require, sweep
from imagepeel.fleet.plan import Planned, file_stamp, plan_source, told, unlisted
from imagepeel.fleet.reading import Reading
from imagepeel.fleet.state import State
from imagepeel.fleet.tasks import (
    ImageDone,
    LayerDone,
    Place,
    WantedImage,
    WantedLayer,
    examine,
    index_of,
    read_images,
    read_layers,
)
from imagepeel.fleet.words import Unlisted, Walk
from imagepeel.limits import DEFAULT, Limits, MiB
from imagepeel.sources.words import is_streamed

if TYPE_CHECKING:
    from imagepeel.results.survey import SurveyResult

U = TypeVar("U")

_FEW = 16
"""Layers or images of one task at most: what is done again when a worker dies, and the least rows of a part."""
_BYTES = 64 * MiB
"""Stored bytes of the layers of one task, unless it has but one."""
_WAITING = 4096
"""Layers that are known at a time before those of one source are no longer waited for."""
_ROUNDS = 4
"""How often layers that turned out to be others than stated are looked at; a copy is what it is after one."""
_FOREST = 100_000
"""Images up to which the summary draws the forest of bases; the table of lineage tells of any number."""
_Known = tuple[str, str]
"""A source, and its stamp when it was read the last time."""
_Opened = tuple[Planned, str, tuple[ImageDone, ...]]
"""What a source holds, and the images that were examined with it, with the part that has their rows."""
Progress = Callable[[str, int, int | None], object]
"""Called with what is done (`documents`, `layers`, `images`), how much of it so far, and all of it where known: counts,
of layers stored bytes."""


def survey(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str],
    executor: Executor | None = None,
    workers: int | None = None,
    form: Form | None = None,
    limits: Limits = DEFAULT,
    ca: str | os.PathLike[str] | None = None,
    plain_http: bool = False,
    progress: Progress | None = None,
) -> SurveyResult:
    """Write the facts of many images as tables, reading each distinct layer once.

    Arguments: `sources` are folders that are walked, files with one source a line, and whatever `open` takes by name;
    `out` is the folder of the facts, in which a second run goes on: it does what is new or has changed, and forgets
    what is not named any more.  `executor` is any `concurrent.futures.Executor` whose workers see the sources and `out`
    under the same names; without one, a pool of `workers` processes is made, by default one a processor.  `workers`
    beside an `executor` says how many tasks it is given at a time.  `form` is `parquet` (extra `survey`) or `jsonl`, by
    default what is installed; `limits`, `ca` and `plain_http` are those of `open`; `progress` is called meanwhile.

    Returns the summary; what failed is a row of the table `sources` with the error in it.
    UsageError when Parquet is asked for and not installed, `out` cannot be written, or a given executor breaks, after
    which the next run goes on where this one ended.  Source: docs/reference/survey.md names each column.
    """
    words = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    form = form or default_form()
    require(form)
    if workers is not None and workers < 1:
        raise UsageError("there must be at least one worker")
    folder = os.path.abspath(os.fspath(out))
    _own(folder)
    reading = Reading(limits=limits, ca=os.fspath(ca) if ca is not None else "", plain_http=plain_http)
    place = Place(folder, form, reading)
    state = State(folder, f"{__version__} {form} {hashlib.sha256(repr(limits).encode()).hexdigest()}")
    walk = Walk(words, reading)
    tell = progress or (lambda what, done, total: None)
    try:
        with Crew(executor, workers or (64 if executor is not None else cores())) as crew:
            _plan(crew, state, walk, place, tell)
            for _ in range(_ROUNDS):
                _layers(crew, state, place, tell)
                _images(crew, state, place, tell)
                if not state.count_layers()[0]:
                    break
        _finish(state, place)
        from imagepeel.fleet.summary import summarise  # start time
        from imagepeel.results.lineage import forest  # start time

        placed, unplaced = state.count_placed()
        nodes = forest(state.stacks()) if placed <= _FOREST else None
        return summarise(folder, form, passed_over=walk.passed_over, nodes=nodes, unplaced=unplaced)
    finally:
        state.close()


def _own(folder: str) -> None:
    """Make the folder of the facts; one that has other things in it is not ours to write to."""
    try:
        os.makedirs(os.path.join(folder), exist_ok=True)
        if os.listdir(folder) and not os.path.isdir(os.path.join(folder, ".survey")):
            raise UsageError(f"{folder} is not empty, and no survey was written there", hint="name a new folder")
        os.makedirs(os.path.join(folder, ".survey"), exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}", hint="name another folder") from None


def _plan(crew: Crew, state: State, walk: Walk, place: Place, tell: Progress) -> None:
    read = 0

    def new() -> Iterator[tuple[_Known, ...]]:
        for source in walk:
            if isinstance(source, Unlisted):
                state.note(unlisted(source))
            elif not state.unchanged(source, file_stamp(source)):
                yield ((source, state.stamp(source)),)

    def done(job: tuple[_Known, ...], found: tuple[_Opened, ...]) -> None:
        nonlocal read
        for planned, part, images in found:
            if state.note(planned) and not planned.code:
                for image in images:
                    state.image_done(part, image)
        read += len(found)
        tell("documents", read, None)

    def failed(known: _Known, error: BaseException) -> None:
        source, _ = known
        code, words = _lost(error)
        state.note(Planned(source=source, stamp=file_stamp(source), code=code, error=words))

    crew.run(partial(_plan_all, place), new(), done, failed)
    state.end_plan()


def _plan_all(place: Place, sources: tuple[_Known, ...]) -> tuple[_Opened, ...]:
    return tuple(_plan_one(place, *known) for known in sources)


def _plan_one(place: Place, source: str, stamp: str) -> _Opened:
    """Read the documents of a source; of one that comes whole to who opens it, examine the images as well."""
    if not is_streamed(source):
        return plan_source(source, place.reading, stamp), "", ()
    part = ""
    found: tuple[ImageDone, ...] = ()

    def then(archive: Archive, planned: Planned) -> None:
        nonlocal part, found
        wanted = tuple(WantedImage(source, image.number) for image in planned.images)
        part = _part_of_images(wanted)
        found = examine(place, part, archive, wanted)

    planned = plan_source(source, place.reading, stamp, cache=index_of(place), then=then)
    return planned, part, found


def _layers(crew: Crew, state: State, place: Place, tell: Progress) -> None:
    count, total = state.count_layers()
    if not count:
        return
    sizes: dict[str, int] = {}
    read = 0
    share = max(1, min(_BYTES, total // (4 * crew.window)))

    def jobs() -> Iterator[tuple[WantedLayer, ...]]:
        batch: list[WantedLayer] = []
        held = 0
        streamed: dict[str, list[WantedLayer]] = {}
        for wanted, size in state.layers_to_read():
            sizes[wanted.key] = size
            first = wanted.copies[0].source
            if is_streamed(first):
                streamed.setdefault(first, []).append(wanted)
                if len(sizes) >= _WAITING:
                    yield from map(tuple, streamed.values())
                    streamed.clear()
                continue
            if batch and (held + size > share or len(batch) == _FEW):
                yield tuple(batch)
                batch, held = [], 0
            batch.append(wanted)
            held += size
        if batch:
            yield tuple(batch)
        # An engine saves the whole image for whoever asks: one task reads all that only it is asked for.
        yield from map(tuple, streamed.values())

    def done(job: tuple[WantedLayer, ...], found: tuple[LayerDone, ...]) -> None:
        nonlocal read
        for layer in found:
            state.layer_done(_part_of_layers(job), layer)
            read += sizes.pop(layer.key, 0)
        tell("layers", read, total)

    def failed(wanted: WantedLayer, error: BaseException) -> None:
        state.layer_done("", LayerDone(wanted.key, "", *_lost(error)))

    crew.run(partial(_read_layers, place), jobs(), done, failed)


def _read_layers(place: Place, wanted: tuple[WantedLayer, ...]) -> tuple[LayerDone, ...]:
    return read_layers(place, _part_of_layers(wanted), wanted)


def _images(crew: Crew, state: State, place: Place, tell: Progress) -> None:
    total = state.count_images()
    read = 0
    few = max(1, min(_FEW, total // (2 * crew.window)))

    def jobs() -> Iterator[tuple[WantedImage, ...]]:
        batch: list[WantedImage] = []
        for wanted in state.images_to_examine():
            batch.append(wanted)
            if len(batch) == few:
                yield tuple(batch)
                batch = []
        if batch:
            yield tuple(batch)

    def done(job: tuple[WantedImage, ...], found: tuple[ImageDone, ...]) -> None:
        nonlocal read
        for image in found:
            state.image_done(_part_of_images(job), image)
        read += len(found)
        tell("images", read, total)

    def failed(wanted: WantedImage, error: BaseException) -> None:
        state.image_done("", ImageDone(wanted.source, wanted.number, *_lost(error)))

    crew.run(partial(_read_images, place), jobs(), done, failed)


def _read_images(place: Place, wanted: tuple[WantedImage, ...]) -> tuple[ImageDone, ...]:
    return read_images(place, _part_of_images(wanted), wanted)


def _part_of_layers(wanted: Sequence[WantedLayer]) -> str:
    return f"layers-{_mark(wanted)}"


def _part_of_images(wanted: Sequence[WantedImage]) -> str:
    return f"images-{_mark(wanted)}"


def _mark(wanted: object) -> str:
    """What names a part: a task that is done twice writes the same file again."""
    return hashlib.sha256(repr(wanted).encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _lost(error: BaseException) -> tuple[str, str]:
    """Code and sentence of a task that came to no answer, alone and for the second time."""
    code, words = told(error)
    if code == "internal":
        code, words = "worker-died", f"the worker ended twice without an answer ({type(error).__name__})"
    return code, words


def _finish(state: State, place: Place) -> None:
    """Write the tables that are about the whole fleet, and remove what no row of the state answers for."""
    everything: list[tuple[str, str, Callable[[], Iterator[msgspec.Struct]]]] = [
        ("sources", "sources", state.sources),
        ("lineage", "lineage", state.lineage),
        ("images", "unexamined", state.unexamined),
    ]
    for table, name, rows in everything:
        with PartWriter(place.out, place.form, name, (table,)) as part:
            for row in rows():
                part.add(table, row)
    sweep(place.out, place.form, {*state.parts(), *(name for _, name, _ in everything)})
