"""Each blob of each teaching image is taken away in turn: no claim that is left is one that the whole image refutes.

One verdict other than UNKNOWN is left, of one image: `link-below` without L1 still fails to load, since overlay engines
unpack each layer into a directory of its own, so that L2, which is here, is refused whatever L1 holds.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.cli import cli
from imagepeel.findings.catalogue import select_rules
from imagepeel.findings.examine import examine
from imagepeel.findings.gate import GateOptions, judge
from imagepeel.forge.specimens import add, sound
from imagepeel.image import LayeredImage
from imagepeel.present.anatomy import anatomy_document
from imagepeel.present.check import check_document
from imagepeel.present.diff import diff_document
from imagepeel.present.dockerfile import dockerfile_document
from imagepeel.present.document import Claim, Document, Item, Items, Lines, Note, Section, Table
from imagepeel.present.du import du_document
from imagepeel.present.findings import wtf_document
from imagepeel.present.images import images_document
from imagepeel.present.layers import layers_document
from imagepeel.present.process import process_document
from imagepeel.present.trace import trace_document
from imagepeel.present.views import views_document
from imagepeel.present.waste import waste_document
from imagepeel.process.matrix import matrix_of_image
from imagepeel.results.anatomy import anatomy_of_archive
from imagepeel.results.check import check_outcome
from imagepeel.results.diff import DiffResult
from imagepeel.results.dockerfile import dockerfile_result
from imagepeel.results.du import du_result
from imagepeel.results.findings import wtf_result
from imagepeel.results.head import image_head
from imagepeel.results.images import images_result
from imagepeel.results.layers import layers_result
from imagepeel.results.process import matrix_result, process_result
from imagepeel.results.waste import waste_result
from missing import blobs, without
from runner import runner

ABOUT_GAPS = {"MISSING-PARTS", "SPARSE-SAVE"}
"""Rules that are about what is missing."""
SHIPPED = {"SHIPPED-SECRET": "DELETED-SECRET", "STORE-REFUSES-LAYER": "STORE-REFUSES-LAYER"}
"""Rules that say of a part what a rule says of the whole: a file that a missing layer removes is shipped all the same,
and of the engines that refuse a layer fewer are known."""
REFUSED_ALONE = {("link-below", "L1"): "L2"}
"""Image and missing part -> the layer that engines refuse by itself."""
ABSOLUTE = re.compile(r"\b(?:no|none|nothing|all|every|only|same|never|both|0|any|nobody|without)\b", re.IGNORECASE)
"""Words of a sentence that must have seen everything it speaks of."""
NUMBER = re.compile(r"\b[\d,.]+\b")
COUNTED = re.compile(r"\b[\d,.]+ (?:remark|finding)s?\b")
ANSWERS = re.compile(r"\| [ ,]*(?:(?:yes|no|depends|unknown)[ ,]*)+$")
"""How many answers of each kind make an answer of the manual."""
COUNTING = {
    "layers",
    "du",
    "waste",
    "images",
    "wtf",
    "trace /etc",
    "trace /bin/sh",
    "process",
    "process --matrix",
    "views",
    "anatomy",
    "check",
}
"""Documents with numbers in columns and places, which the fields of their results hold: `counts` below."""
HEDGED = re.compile(
    r"not known|that (?:are|is) here|missing|at least|is not here|not in the archive|cannot be told|nobody can tell"
    r"|in what is here"
    r"|Nothing was unpacked to disk|no daemon was asked|No daemon|Nothing in it is kept|EXPOSE opens nothing"
    r"|image again with (?:all )?its|This is every one of them|All of them: imagepeel images"
    r"|\| none \||no loader is needed|reads no script|^all \||^(?:same|implied) |are unknown"
    r"|the step says nothing|either adds a tarball|not take the file: "
    r"|cannot unpack the image, which containerd can"
    r"|Each answer is the worst|to run the commands|names nothing",
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
        elif isinstance(block, Note):
            found.append(text(block.text))
        elif isinstance(block, Table):
            # Numbers of columns are compared as fields of the results.
            rows = (NUMBER.sub("", " | ".join(map(text, line.cells))) for line in block.rows)
            found.extend(ANSWERS.sub("", one) for one in rows)
        elif isinstance(block, Lines):
            found.extend(block.lines)

    for section in document.sections:
        walk(section)
    # The name of the archive in a command is no claim.
    plain = [re.sub(r"\S+\.tar\b", "IMAGE", " ".join(sentence.split())) for sentence in found]
    # What is missing is one more finding.
    return [re.sub(r"^\d+ findings? of severity high\. ", "", sentence) for sentence in plain]


def documents(image: LayeredImage) -> Iterator[tuple[str, Document]]:
    """Yield what each command shows of an image, by the name of the command.

    `loadable` is about the file and not about the image: that tools refuse it without a part is right.
    """
    assert isinstance(image, imagepeel.Image)
    yield "explain", image.explain().document()
    yield "operate", image.operators_manual().document()
    yield "layers", layers_document(layers_result(image))
    yield "views", views_document(image.views())
    yield "dockerfile", dockerfile_document(dockerfile_result(image))
    yield "process", process_document(process_result(image, image.process()))
    yield "process --matrix", process_document(matrix_result(image, "", matrix_of_image(image)))
    yield "wtf", wtf_document(wtf_result(image_head(image), examine(image)))
    yield "images", images_document(images_result(image.archive))
    yield "anatomy", anatomy_document(anatomy_of_archive(image), most=20)
    gate = judge(examine(image), GateOptions(), None)
    yield "check", check_document(check_outcome(image_head(image), gate, select_rules()))
    if not image.rootfs.refusal:
        yield "waste", waste_document(waste_result(image_head(image), image.waste(), 0))
        yield "du", du_document(du_result(image, image.rootfs), most=20, exact=True)
        for path in ("/etc", "/bin/sh"):
            try:
                yield f"trace {path}", trace_document(image.trace(path))
            except imagepeel.errors.PathNotFound as error:
                assert image.knowledge.layers or "in the layers that are here" in error.what


def compared(whole: LayeredImage, image: LayeredImage) -> DiffResult:
    """What `diff` says of the whole image and a part of it."""
    assert isinstance(whole, imagepeel.Image) and isinstance(image, imagepeel.Image)
    return whole.diff(image)


def absolutes(image: LayeredImage) -> list[str]:
    """Return every sentence of a document that says no, none, all or the like without a reserve."""
    told = [(name, one) for name, document in documents(image) for one in sentences(document)]
    found = [(name, one) for name, one in told if ABSOLUTE.search(NUMBER.sub("", one) if name in COUNTING else one)]
    return [f"{name}: {one}" for name, one in found if not HEDGED.search(one)]


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
            # Who says less than is said of the whole refutes nothing.
            new = [one for one in new if not any(one[0] == rule and more.startswith(one[1]) for rule, more in known)]
            refuted += [(where, one) for one in new if SHIPPED.get(one[0]) not in rules]
            refuted += [
                (where, one) for one in absolutes(image) if not any(two.startswith(one.rstrip(".")) for two in said)
            ]
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


@pytest.mark.parametrize("kind", ["docker-archive", "docker-save-25", "podman-archive", "crane", "docker-v1.0"])
def test_the_same_of_every_kind_of_archive(kind: forge.ArchiveKind, tmp_path: Path) -> None:
    """Each config and layer of a docker save in turn; what only names the image is `test_case_absent.py`'s matter."""
    path = tmp_path / "whole.tar"
    forge.write(forge.build("no-library"), path, kind=kind)
    with tarfile.open(path) as tar:
        members = [member.name for member in tar if member.size > 100]
    with imagepeel.open(path) as archive:
        said = set(absolutes(archive.image()))
    refuted = []
    taken = 0
    for member in members:
        if member in ("manifest.json", "index.json", "repositories"):
            continue
        with imagepeel.open(without(path, member, tmp_path / "part.tar")) as archive:
            image = archive.image()
            if image.complete:  # a member that nothing needs, such as the json of a layer
                continue
            taken += 1
            refuted += [(member, one) for one in absolutes(image) if one not in said]
            verdict = image.process(engine="docker@28" if kind == "docker-v1.0" else "docker").verdict
            assert verdict.kind == "UNKNOWN", member
    assert taken >= 3
    assert not refuted, "\n".join(f"{a}: {b}" for a, b in refuted)


def of_images(path: Path) -> dict[int, tuple[set[str], object, bool]]:
    """What the commands say of each image of an archive without a reserve, its verdict, and whether it is whole."""
    with imagepeel.open(path) as archive:
        images = {record.number: archive.image(f"#{record.number}") for record in archive.records}
        return {
            number: (set(absolutes(image)), image.process().verdict.kind, image.complete)
            for number, image in images.items()
        }


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_a_part_of_one_image_is_no_matter_of_the_others(kind: forge.ArchiveKind, tmp_path: Path) -> None:
    """Each blob of an archive of two images with one base is taken away: nothing that is said of either is not so."""
    path = tmp_path / "two.tar"
    first = sound(add(forge.file("srv/first", b"1")), names="d:1")
    second = sound(
        add(forge.file("srv/second", b"22")), add(forge.whiteout("srv/second")), names="d:2",
        architecture="arm64" if kind == "oci-archive" else "amd64",
    )  # fmt: skip
    forge.write(forge.index(first, second, names="d:1") if kind == "oci-archive" else [first, second], path, kind=kind)
    whole = of_images(path)
    assert [number for number, (_, _, complete) in whole.items() if complete] == [1, 2]
    with tarfile.open(path) as tar:
        members = [member.name for member in tar if member.isfile() and member.size > 100]
    refuted, broken = [], 0
    for member in members:
        if member in ("manifest.json", "index.json", "repositories"):
            continue
        for number, (said, verdict, complete) in of_images(without(path, member, tmp_path / "part.tar")).items():
            # That an image is not here is one more remark about the other.
            known = {COUNTED.sub("", one) for one in whole[number][0]}
            refuted += [(member, number, one) for one in said if COUNTED.sub("", one) not in known]
            assert verdict == (whole[number][1] if complete else "UNKNOWN"), (member, number)
            broken += not complete
    assert broken >= 6
    assert not refuted, "\n".join(f"{a} #{b}: {c}" for a, b, c in refuted)


def lines_of(archive: Path, *words: str) -> list[str]:
    """What one command writes about an archive, without the archive's name and numbers."""
    done = runner().invoke(cli, [words[0], str(archive), *words[1:]])
    assert done.exit_code in (0, 1, 11, 12, 14), (words, done.output)
    return [NUMBER.sub("", line.replace(str(archive), "IMAGE")) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", GALLERY)
def test_nothing_differs_between_an_image_and_a_part_of_it_that_is_only_missing(
    name: str, gallery: dict[str, Path], tmp_path: Path
) -> None:
    """A part has no other config, starts nothing else, and lacks no path: that it does is not known."""
    if name not in gallery:
        pytest.skip("no image with one manifest")
    with imagepeel.open(gallery[name]) as archive:
        whole = archive.image()
        if not whole.complete or any(layer.verified is False for layer in whole.layers):
            pytest.skip("the image itself lacks a part, or a layer is not what is stated of it")
        for part, member in blobs(gallery[name]).items():
            with imagepeel.open(without(gallery[name], member, tmp_path / f"{part}.tar")) as other:
                for found in (compared(whole, other.image()), compared(other.image(), whole)):
                    assert found.different is not True, part
                    assert not found.config and not found.process and not found.paths, part
                    assert found.layers is None or not (found.layers.only_first or found.layers.only_second), part
                    told = " ".join(sentences(diff_document(found, every=False)))
                    assert "not known" in told, part


@pytest.mark.parametrize("form", ["text", "sarif", "junit", "github", "markdown", "json"])
@pytest.mark.parametrize("part", ["manifest", "config", "L2"])
def test_the_gate_passes_nothing_whose_parts_it_could_not_see(
    form: str, part: str, gallery: dict[str, Path], tmp_path: Path
) -> None:
    archive = without(gallery["shop"], blobs(gallery["shop"])[part], tmp_path / "part.tar")
    done = runner().invoke(cli, ["check", "--format", form, str(archive)])
    assert done.exit_code == 1
    assert "MISSING-PARTS" in done.stdout
    # Nothing is failed, and what passed is not told as if all had been seen.
    none = runner().invoke(cli, ["check", "--format", form, "--select", "BAKED-DATABASE", str(archive)])
    assert none.exit_code == (0 if part == "L2" else 14)
    assert "not in the archive" in none.stdout + none.stderr or "not here" in none.stdout + none.stderr


@pytest.mark.parametrize(
    "words", [("tree",), ("find",), ("find", "--removed"), ("ls", "-R"), ("dockerfile",)], ids=" ".join
)
@pytest.mark.parametrize("part", ["manifest", "config", "L2", "L8"])
def test_a_listing_of_a_part_lists_what_the_whole_lists_or_says_why(
    words: tuple[str, ...], part: str, gallery: dict[str, Path], tmp_path: Path
) -> None:
    whole = set(lines_of(gallery["shop"], *words))
    archive = without(gallery["shop"], blobs(gallery["shop"])[part], tmp_path / "part.tar")
    done = runner().invoke(cli, [words[0], str(archive), *words[1:]])
    assert "not here" in done.stderr or "not in the archive" in done.stderr
    new = [line for line in lines_of(archive, *words) if line not in whole and ABSOLUTE.search(line)]
    assert [line for line in new if not HEDGED.search(line)] == []
