"""Receipts for what was found out: for findings, for the steps of a start, for files shipped in vain.

All of them stand below the receipts in the order of imports, so they name places and the way each is best seen; this
module makes the commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Evidence, Location, Receipt, layer_label
from imagepeel.receipts.places import Receipts

if TYPE_CHECKING:
    from imagepeel.findings.finding import Finding
    from imagepeel.findings.report import Findings
    from imagepeel.findings.waste import Waste
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.process.spec.values import Step

MOST = 5
"""Receipts of one finding: the most direct places."""

_TEXT = "head -n 40 | sed -n l"


def with_receipts(found: Iterable[Finding], image: LayeredImage) -> Findings:
    """Return the findings with receipts for their places.

    Receipts about secrets print the secret when they are run; the command itself never holds it.
    """
    receipts = Receipts(image.archive, image)
    from imagepeel.findings.report import Findings  # start time: it knows all rules

    return Findings(_one(finding, image, receipts) for finding in found)


def step_receipts(steps: Iterable[Step], image: LayeredImage) -> tuple[tuple[Receipt, ...], ...]:
    """Return for each step of a start the commands that show what it looked at: the file, or the line of the config."""
    receipts = Receipts(image.archive, image)
    return tuple(tuple(_of_step(step, image, receipts)) for step in steps)


def _of_step(step: Step, image: LayeredImage, receipts: Receipts) -> Iterator[Receipt]:
    where = step.where
    if where is not None and where.pointer is not None:
        receipt = receipts.config(where.pointer, "what the config says")
        if receipt is not None:
            yield receipt
    elif where is not None and where.layer is not None and where.entry is not None:
        layer = image.layers[where.layer]
        stream = receipts.entry(layer, where.entry) if layer.table[where.entry].kind == "file" else None
        if stream is not None:
            yield from (receipts.inspect(stream, one) for one in step.inspect)


def waste_receipts(waste: Waste, image: LayeredImage, most: int = 3) -> tuple[Receipt, ...]:
    """Return commands that count the bytes of the largest unreachable files again, `most` of them."""
    receipts = Receipts(image.archive, image)
    found = []
    for item in [item for item in waste.items if item.by is not None][:most]:
        stream = receipts.entry(image.layers[item.layer], item.entry)
        if stream is not None:
            found.append(receipts.size(stream, item.size, f"the bytes that {layer_label(item.layer)} still ships"))
    return tuple(found)


def _one(finding: Finding, image: LayeredImage, receipts: Receipts) -> Finding:
    made: list[Receipt] = list(finding.evidence.receipts)
    for place, show in zip(finding.evidence.locations, finding.show, strict=False):
        if len(made) >= MOST:
            break
        try:
            made.extend(_receipts(place, show, image, receipts))
        except ImagepeelError:
            continue
    kept = tuple({receipt.command: receipt for receipt in made}.values())[:MOST]
    evidence = Evidence(locations=finding.evidence.locations, receipts=kept)
    return msgspec.structs.replace(finding, evidence=evidence)


def _receipts(place: Location, show: str, image: LayeredImage, receipts: Receipts) -> Iterator[Receipt]:
    if place.pointer is not None and place.member not in (None, image.record.config_member) and show == "config":
        # A place in another document of the archive, such as manifest.json.
        named = receipts.named(place.member or "")
        if named is not None:
            yield receipts.show(named, "jq -c .", f"{place.member}, at {place.pointer or '/'}")
    elif place.pointer is not None and show in ("config", "secret-config"):
        found = receipts.config(place.pointer, f"{place.pointer or '/'} of the image config")
        if found is not None:
            from imagepeel.masking import redacted  # start time

            secret = show == "secret-config" or redacted(found.expect) != found.expect
            yield msgspec.structs.replace(found, expect="") if secret else found
    elif place.layer is not None and place.layer < len(image.layers):
        yield from _in_layer(place, show, image.layers[place.layer], receipts)
    elif place.file_offset is not None:
        yield receipts.stored(place.file_offset)
    elif place.archive_offset and not receipts.directory:
        yield receipts.hex_at(
            receipts.tar_stream(), place.archive_offset, f"byte {place.archive_offset} of the archive"
        )
    elif place.member is not None or place.archive_offset is not None:
        yield receipts.listing()


def _in_layer(place: Location, show: str, layer: Layer, receipts: Receipts) -> Iterator[Receipt]:
    secret = show.startswith("secret-")
    if place.entry is not None and place.entry < len(layer.table):
        entry = layer.table[place.entry]
        inspect = show.removeprefix("inspect ") if show.startswith("inspect ") else _TEXT if show == "file" else ""
        if (inspect or secret) and entry.kind == "file":
            stream = receipts.entry(layer, place.entry)
            if stream is not None:
                if secret:
                    yield receipts.bytes_of(stream, f"brings the file back from {layer.label}")
                else:
                    yield receipts.show(stream, inspect, f"the file in {layer.label}")
        line = receipts.entry_line(layer, place.entry)
        if line is not None:
            yield line
        return
    content = receipts.content(layer)
    if place.layer_offset is not None and content is not None:
        yield receipts.hex_at(content, place.layer_offset, f"{layer.label} at offset {place.layer_offset}")
        return
    digest = receipts.layer_digest(layer)
    if digest is not None:
        yield digest
    elif content is None:
        yield receipts.listing()  # what to look for and not to find
