"""The forest of bases of many sources, from their documents alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from imagepeel.evidence import layer_label
from imagepeel.fleet.plan import PlannedImage, plan_source, unlisted
from imagepeel.fleet.reading import Reading
from imagepeel.fleet.words import Unlisted, Walk
from imagepeel.limits import DEFAULT, Limits
from imagepeel.oci.identity import chain_ids
from imagepeel.results.lineage import (
    LineageImage,
    LineageResult,
    LineageUnknown,
    SourceFailure,
    forest,
)
from imagepeel.text import listed


def lineage(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    limits: Limits = DEFAULT,
    ca: str | os.PathLike[str] | None = None,
    plain_http: bool = False,
    progress: Callable[[int], object] | None = None,
) -> LineageResult:
    """Return which image stands on which, by the DiffIDs that documents state; no layer is read.

    Arguments: `sources` are folders that are walked, files with one source a line, and whatever `open` takes by name;
    `limits`, `ca` and `plain_http` are those of `open`; `progress` is called with counts of sources that were opened.

    A source that cannot be read is told of in `failed`, an image without a known place in `unknown`; nothing is raised
    for them.  Source: image-spec config.md, DiffID and ChainID.
    """
    reading = Reading(limits=limits, ca=os.fspath(ca) if ca is not None else "", plain_http=plain_http)
    walk = Walk([sources] if isinstance(sources, str | os.PathLike) else sources, reading)
    failed: list[SourceFailure] = []
    unknown: list[LineageUnknown] = []
    placed: list[tuple[LineageImage, tuple[str, ...]]] = []
    count = images = 0
    for source in walk:
        count += 1
        planned = unlisted(source) if isinstance(source, Unlisted) else plan_source(source, reading)
        if planned.code:
            failed.append(SourceFailure(source=planned.source, code=planned.code, error=planned.error))
        for image in planned.images:
            images += 1
            named = LineageImage(source=planned.source, number=image.number, name=image.name, platform=image.platform)
            chains = tuple(chain_ids([one for one in image.diff_ids if one is not None]))
            if chains and len(chains) == len(image.diff_ids):
                placed.append((named, chains))
            else:
                unknown.append(LineageUnknown(image=named, why=_why(image)))
        if progress is not None:
            progress(1)
    return LineageResult(
        sources=count,
        passed_over=walk.passed_over,
        images=images,
        nodes=forest(placed),
        unknown=tuple(unknown),
        failed=tuple(failed),
    )


def _why(image: PlannedImage) -> str:
    missing = list(_unknown(image))
    return f"no document states the DiffID of {listed(missing)}" if missing else "it has no layer"


def _unknown(image: PlannedImage) -> Iterator[str]:
    for index, diff_id in enumerate(image.diff_ids):
        if diff_id is None:
            yield layer_label(index)
