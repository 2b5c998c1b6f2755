"""Each blob of each teaching image is taken away in turn: no claim that is left is one that the whole image refutes.

One verdict other than UNKNOWN is left, of one image: `link-below` without L1 still fails to load, since overlay engines
unpack each layer into a directory of its own, so that L2, which is here, is refused whatever L1 holds.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.findings.examine import examine
from imagepeel.image import LayeredImage
from imagepeel.present.document import Claim, Document, Item, Items, Section, Table
from imagepeel.results.head import image_head
from imagepeel.results.images import images_result
from imagepeel.results.layers import layers_result
from imagepeel.results.waste import waste_result
from missing import blobs, without

ABOUT_GAPS = {"MISSING-PARTS", "SPARSE-SAVE"}
"""Rules that are about what is missing."""
SHIPPED = {"SHIPPED-SECRET": "DELETED-SECRET"}
"""Rules that say of a file in a layer what another one says where a missing layer removes it: shipped it is in both."""
REFUSED_ALONE = {("link-below", "L1"): "L2"}
"""Image and missing part -> the layer that engines refuse by itself."""
ABSOLUTE = re.compile(r"\b(?:no|none|nothing|all|every|only|same|never|both|0|any|nobody|without)\b", re.IGNORECASE)
"""Words of a sentence that must have seen everything it speaks of."""
HEDGED = re.compile(
    r"not known|that (?:are|is) here|missing|at least|is not here|not in the archive|cannot be told|nobody can tell"
    r"|in what is here"
    r"|Nothing was unpacked to disk|no daemon was asked|No daemon|Nothing in it is kept|EXPOSE opens nothing"
    r"|Each answer is the worst|to run the commands|names nothing|nothing points at it",
    re.IGNORECASE,
)
"""Sentences that say what they do not know, or that are about no image."""

GALLERY = sorted(name for name in forge.NAMES)


def sentences(document: Document) -> list[str]:
    """Return the sentences of a document, one a claim or item."""
    found: list[str] = []

    def text(spans: tuple[object, ...]) -> str:
        return "".join(getattr(span, "text", "") for span in spans)

    def walk(block: object) -> None:
        if isinstance(block, Claim):
            found.append(text(block.text))
        elif isinstance(block, Items):
            for one in block.items:
                walk(one)
        elif isinstance(block, Item):
            found.append(text(block.text))
            for below in block.items:
                walk(below)
        elif isinstance(block, Section):
            for inner in block.blocks:
                walk(inner)
        elif isinstance(block, Table):
            return

    for section in document.sections:
        walk(section)
    # The name of the archive in a command is no claim.
    plain = [re.sub(r"\S+\.tar\b", "IMAGE", " ".join(sentence.split())) for sentence in found]
    # What is missing is one more finding.
    return [re.sub(r"^\d+ findings? of severity high\. ", "", sentence) for sentence in plain]


def absolutes(image: LayeredImage) -> list[str]:
    """Return every sentence of the story and of the manual that says no, none, all or the like without a reserve."""
    assert isinstance(image, imagepeel.Image)
    told = [*sentences(image.explain().document()), *sentences(image.operators_manual().document())]
    return [one for one in told if ABSOLUTE.search(one) and not HEDGED.search(one)]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each teaching image as an OCI archive."""
    folder = tmp_path_factory.mktemp("gallery")
    made = {}
    for name in GALLERY:
        path = folder / f"{name}.tar"
        try:
            forge.write(forge.build(name), path, kind="oci-archive")
        except ValueError:
            continue
        try:
            blobs(path)
        except (KeyError, AssertionError):
            continue
        made[name] = path
    assert len(made) >= 5
    return made


@pytest.mark.parametrize("name", GALLERY)
def test_no_claim_of_a_part_is_refuted_by_the_whole(name: str, gallery: dict[str, Path], tmp_path: Path) -> None:
    if name not in gallery:
        pytest.skip("no image with one manifest")
    whole_path = gallery[name]
    with imagepeel.open(whole_path) as archive:
        whole = archive.image()
        if not whole.complete:
            pytest.skip("the image itself lacks a part")
        known = {(finding.rule, finding.message) for finding in examine(whole)}
        said = set(absolutes(whole))
        counts = {row.label: row for row in layers_result(whole).layers}
        agree = whole.views().agree
        whole_verdict = whole.process().verdict
        efficiency = waste_result(image_head(whole), whole.waste(), 0).efficiency if not whole.rootfs.refusal else None
        number = len(whole.layers)
    refuted: list[tuple[str, object]] = []
    for part, member in blobs(whole_path).items():
        where = f"{name} without {part}"
        with imagepeel.open(without(whole_path, member, tmp_path / f"{part}.tar")) as archive:
            image = archive.image()
            found = {(finding.rule, finding.message) for finding in examine(image)}
            rules = {rule for rule, _ in known}
            new = [one for one in sorted(found - known) if one[0] not in ABOUT_GAPS and "at least" not in one[1]]
            refuted += [(where, one) for one in new if SHIPPED.get(one[0]) not in rules]
            refuted += [(where, one) for one in absolutes(image) if one not in said]
            verdict = image.process().verdict
            if (name, part) in REFUSED_ALONE:
                refused = verdict.where.layer if verdict.where is not None else None
                assert (verdict.judge, f"L{(refused or 0) + 1}") == ("load", REFUSED_ALONE[name, part]), where
                assert (verdict.text, verdict.why) == (whole_verdict.text, whole_verdict.why), where
            else:
                assert verdict.kind == "UNKNOWN", where
            assert image.views().agree in (None, agree), where
            row = images_result(archive).images[image.record.number - 1]
            assert row.layers in (None, number) and not row.complete, where
            left = layers_result(image)
            for layer in left.layers:
                for field in ("content_size", "entries", "added", "changed", "removed"):
                    # A refused image has no counts at all.
                    seen = getattr(counts[layer.label], field)
                    assert seen is None or getattr(layer, field) in (None, seen), (where, field)
            if not image.rootfs.refusal:
                waste = waste_result(image_head(image), image.waste(), 0)
                assert waste.efficiency in (None, efficiency), where
            gaps = left.image.not_known
            assert [gap.part for gap in gaps] == [part if part in ("manifest", "config") else "layer"], where
            assert msgspec.json.encode(gaps), where
    assert not refuted, "\n".join(f"{a}: {b}" for a, b in refuted)
