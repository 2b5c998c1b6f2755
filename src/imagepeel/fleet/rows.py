"""The rows of one image, asked of its verbs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from imagepeel.findings.examine import examine
from imagepeel.findings.subject import Subject
from imagepeel.fleet.tables import CauseFact, FindingFact, ImageFact, ImageLayerFact, PackageFact, StartFact
from imagepeel.masking import masked_words, redacted
from imagepeel.oci.identity import chain_ids
from imagepeel.process.engines.registry import FAMILIES, newest
from imagepeel.process.spec.failure import Outcome
from imagepeel.process.spec.values import Prediction, Verdict
from imagepeel.results.waste import waste_account

if TYPE_CHECKING:
    from imagepeel.findings.waste import Waste
    from imagepeel.image import LayeredImage
    from imagepeel.verbs import Image


class Named(Protocol):
    """What says which image of the fleet is meant."""

    @property
    def source(self) -> str: ...
    @property
    def number(self) -> int: ...


def engines() -> tuple[str, ...]:
    """Return the engines that each image is asked about: the newest version of each."""
    return tuple(newest(family) for family in FAMILIES)


def image_rows(named: Named, image: Image) -> Iterator[tuple[str, msgspec.Struct]]:
    """Yield (table, row) of everything that a survey tells of an image.  LimitExceeded on bombs."""
    key: dict[str, Any] = {"source": named.source, "number": named.number}
    waste = image.waste()
    subject = Subject(image)
    starts = [image.process(engine=engine) for engine in engines()]
    yield "images", _image(key, subject, waste, image.process())
    for row in _layers(key, image):
        yield "image_layers", row
    for start in starts:
        yield "starts", _start(key, start)
    for found in examine(image, subject=subject):
        place = found.locations[0] if found.locations else None
        yield (
            "findings",
            FindingFact(
                **key,
                rule=found.rule,
                severity=found.severity,
                message=found.message,
                layer=place.layer if place is not None else None,
                path=place.path if place is not None else None,
                pointer=place.pointer if place is not None else None,
            ),
        )
    for package in image.packages().packages:
        yield (
            "packages",
            PackageFact(
                **key,
                family=package.family,
                name=package.name,
                version=package.version,
                purl=package.purl,
                installed=package.installed,
                layer=package.layer,
                content=package.content,
                hidden=package.hidden,
            ),
        )
    if waste.complete:
        for cause in waste_account(waste, 1).causes:
            yield (
                "causes",
                CauseFact(**key, cause=cause.cause, reach=cause.reach, content=cause.content, stored=cause.stored),
            )


def _image(key: dict[str, Any], subject: Subject, waste: Waste, start: Prediction) -> ImageFact:
    image = subject.image
    known = image.knowledge
    config = image.record.config
    return ImageFact(
        **key,
        name=image.name or None,
        digest=image.digest,
        image_id=image.id,
        platform=image.platform or None,
        created=(config.created or None) if config is not None else None,
        layers=len(image.layers) if known.layer_list else None,
        examined=True,
        error=None,
        complete=known.whole,
        missing="; ".join(map(str, known.gaps)) or None,
        entrypoint=_words(config.entrypoint) if config is not None else None,
        cmd=_words(config.cmd) if config is not None else None,
        user=(config.user or None) if config is not None else None,
        shell_form=(subject.shell_line is not None) if config is not None and subject.argv else None,
        hears_sigterm=start.pid1.hears_sigterm if start.pid1 is not None else None,
        stored_bytes=sum(layer.blob_size for layer in waste.layers),
        content_bytes=waste.shipped,
        unreachable_bytes=waste.unreachable if waste.complete else None,
    )


def _words(given: tuple[str, ...] | None) -> list[str] | None:
    return masked_words(given) if given is not None else None


def _layers(key: dict[str, Any], image: LayeredImage) -> Iterator[ImageLayerFact]:
    chains: list[str] = []
    for layer in image.layers:
        if layer.diff_id is not None and len(chains) == layer.index:
            chains = [*chains, chain_ids([*chains[-1:], layer.diff_id])[-1]]
        yield ImageLayerFact(
            **key,
            index=layer.index,
            layer=layer.digest,
            diff_id=layer.diff_id,
            chain_id=chains[layer.index] if layer.index < len(chains) else None,
            state=str(layer.state),
            verified=layer.verified,
            step=layer.step,
            created_by=redacted(layer.created_by) or None,
        )


def _start(key: dict[str, Any], start: Prediction) -> StartFact:
    verdict = start.verdict
    fails = verdict.kind is Outcome.FAILS
    return StartFact(
        **key,
        engine=start.engine,
        verdict=str(verdict.kind),
        failure=str(verdict.id) if fails and verdict.id is not None else None,
        judge=str(verdict.judge) if fails and verdict.judge is not None else None,
        errno=verdict.errno or None,
        exit_code=verdict.exit_code,
        says=redacted(_says(verdict)) or None,
        argv=masked_words(start.argv),
    )


def _says(verdict: Verdict) -> str:
    if verdict.kind is Outcome.DEPENDS:
        return "; ".join(verdict.depends)
    return verdict.reason if verdict.kind is Outcome.UNKNOWN else verdict.message
