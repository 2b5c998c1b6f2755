"""The story is true: its numbers are those of tarfile and hashlib, and no claim stands without proof."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.errors import Ambiguous, UsageError
from imagepeel.present.document import CHAPTERS, AnnotatedBytes, Claim, Steps, Story, Table, Tree, plain
from imagepeel.present.story.chapters import explain_image

Forge = Callable[..., Path]


def told(path: Path, reference: str | None = None) -> Story:
    with imagepeel.open(path) as archive:
        try:
            return explain_image(archive.image(reference))
        except Ambiguous:
            return explain_image(archive.image("#1"))


def words(story: Story, chapter: str) -> str:
    """All sentences of a chapter, tables and rounds included."""
    out = []
    for block in story.chapter(chapter).blocks:
        if isinstance(block, Claim):
            out.append(plain(block.text))
        elif isinstance(block, Table):
            out.extend("  ".join(plain(cell) for cell in row.cells) for row in block.rows)
        elif isinstance(block, Steps):
            out.extend(f"{step.label} {step.path} {plain(step.what)} {step.origin}" for step in block.rounds)
        elif isinstance(block, Tree):
            pending = list(block.roots)
            while pending:
                node = pending.pop(0)
                out.append(plain(node.text))
                pending[:0] = node.children
    return "\n".join(out)


def layers_of(path: Path) -> list[bytes]:
    """The layers of a docker-archive with plain layers, base first, by tarfile."""
    import json

    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        return [(archive.extractfile(name) or io.BytesIO()).read() for name in manifest[0]["Layers"]]


@pytest.mark.parametrize("name", forge.NAMES)
def test_every_statement_has_a_place_or_a_receipt(name: str, forge_archive: Forge) -> None:
    story = told(forge_archive(name))
    assert [chapter.id for chapter in story.chapters] == [
        "file", "paperwork", "layers", "rootfs", "process", "surprises",
    ]  # fmt: skip
    assert [chapter.number for chapter in story.chapters] == [1, 2, 3, 4, 5, 6]
    for chapter in story.chapters:
        proofs = list(chapter.evidence())
        assert proofs
        for evidence in proofs:
            assert evidence.receipts, (name, chapter.id, evidence)
        for block in chapter.blocks:
            if isinstance(block, Claim | AnnotatedBytes):
                assert block.evidence.locations or block.evidence.receipts
            if isinstance(block, Claim):
                assert plain(block.text).strip()


@pytest.mark.parametrize("kind", ["docker-archive", "oci-dir", "docker-v1.0", "rootfs", "docker-containerd"])
def test_every_kind_of_archive_has_a_story(kind: str, forge_archive: Forge, tmp_path: Path) -> None:
    if kind in forge.FOLDER_KINDS:
        path = forge.write(forge.build("shop"), tmp_path / "shop", kind)
    else:
        path = forge_archive("shop", kind=kind)
    story = told(path)
    assert all(evidence.receipts for chapter in story.chapters for evidence in chapter.evidence())


def test_chapter_1_counts_and_sizes_the_members(forge_archive: Forge) -> None:
    path = forge_archive("shop")
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    text = words(told(path), "file")
    assert f"with {len(members)} members" in text
    for member in members:
        if member.name == "manifest.json":
            assert f"{member.offset:,}  {member.size} B  manifest.json  where reading starts" in text


def test_chapter_2_shows_the_digests_that_hashlib_finds(forge_archive: Forge) -> None:
    path = forge_archive("shop")
    text = words(told(path), "paperwork")
    for number, layer in enumerate(layers_of(path), 1):
        assert f"layer L{number}  DiffID {hashlib.sha256(layer).hexdigest()[:12]}..." in text
    assert "All eight were recomputed. All match." in text


def test_chapter_2_tells_all_that_is_wrong_together(forge_archive: Forge) -> None:
    text = words(told(forge_archive("wrong-digest")), "paperwork")
    assert "one does not match" in text and "Wrong: L1: the manifest states the digest" in text
    text = words(told(forge_archive("wrong-diff-id")), "paperwork")
    assert "Wrong: L1: the config states the DiffID" in text


def test_chapter_2_names_what_is_missing_and_the_rest_goes_on(forge_archive: Forge) -> None:
    story = told(forge_archive("missing-blob"))
    assert "Missing: L2." in words(story, "paperwork")
    assert "This is incomplete" in words(story, "rootfs")
    assert "Verdict: UNKNOWN" in words(story, "process")


def test_chapter_3_pairs_steps_with_layers(forge_archive: Forge) -> None:
    story = told(forge_archive("shop"))
    assert story.chapter("layers").title == "Eight layers, 16 steps"
    text = words(story, "layers")
    assert "L5  9  RUN rm .env" in text
    assert "Paperwork only, no bytes: 8 steps" in text
    assert "L5 holds /srv/shop/.wh..env, a whiteout for /srv/shop/.env. The 80 B" in text


def test_chapter_4_adds_up(forge_archive: Forge) -> None:
    path = forge_archive("shop")
    shipped = 0
    final: dict[str, int] = {}
    for layer in layers_of(path):
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            opaque = [m.name.rpartition("/")[0] for m in tar if m.name.endswith(".wh..wh..opq")]
            gone = [m.name.replace(".wh.", "", 1) for m in tar if "/.wh." in m.name and ".wh..wh." not in m.name]
            for name in list(final):
                if name in gone or any(name.startswith(folder + "/") for folder in opaque):
                    del final[name]
            for member in tar:
                if member.isreg() and ".wh." not in member.name:
                    shipped += member.size
                    final[member.name] = member.size
    table = next(block for block in told(path).chapter("rootfs").blocks if isinstance(block, Table))
    numbers = [int(plain(row.cells[0]).lstrip("+= ").replace(",", "")) for row in table.rows]
    names = [plain(row.cells[1]) for row in table.rows]
    assert names == ["visible", "shadowed", "removed", "shipped"]
    assert numbers[0] == sum(final.values())
    assert numbers[-1] == shipped == sum(numbers[:-1])


def test_chapter_4_says_where_nobody_could_unpack(forge_archive: Forge) -> None:
    text = words(told(forge_archive("link-below")), "rootfs")
    assert "containerd refuses to unpack it at L2, entry 0, bin/greet" in text
    process = words(told(forge_archive("link-below")), "process")
    assert "It does not start." in process and "layer L2 cannot be unpacked at entry 0 (bin/greet): link" in process
    assert "Verdict: FAILS on Docker 29.7, containerd 2.3, podman 6.1 and Kubernetes 1.37." in process


def test_chapter_4_shows_what_comes_back(forge_archive: Forge) -> None:
    story = told(forge_archive("resurrect"))
    assert "the old content is back" in words(story, "layers")
    assert "More than one truth: 1 path differs from engine to engine. /data/secret" in words(story, "rootfs")


def test_chapter_5_gives_the_literal_request(forge_archive: Forge) -> None:
    text = words(told(forge_archive("shop")), "process")
    assert (
        'execve("/usr/local/bin/entrypoint.sh", ["entrypoint.sh", "/srv/shop/bin/serve", "--port", "8080"], '
        "4 variables)" in text
    )
    assert "It runs as 999:999 (shop), groups 999 998, in /srv/shop." in text
    assert "round 2 /bin/sh an ELF program for amd64" in text and "L1, step 1" in text


def test_chapter_5_starts_with_the_operators_error(forge_archive: Forge) -> None:
    story = told(forge_archive("no-interpreter"))
    blocks = [plain(block.text) for block in story.chapter("process").blocks if isinstance(block, Claim)]
    assert blocks[0].startswith("It does not start. What the operator will read from Docker 29.7")
    assert blocks[1] == "exec /entrypoint.sh: no such file or directory"
    assert blocks[2].startswith("Why: /entrypoint.sh exists; its interpreter does not")
    assert blocks[3].startswith("Fix: ")


def test_chapter_5_does_not_promise_what_engines_refuse(forge_archive: Forge) -> None:
    text = words(told(forge_archive("wrong-digest")), "process")
    assert "would ask the kernel" in text and "engines refuse that" in text


def test_two_loaders_two_images(forge_archive: Forge) -> None:
    path = forge_archive("two-images")
    first, second = told(path, "#1"), told(path, "#2")
    assert "Two loaders, two images" in words(first, "file") and "Two loaders, two images" in words(second, "file")
    assert words(first, "paperwork") != words(second, "paperwork")


def test_an_exported_filesystem_says_what_was_lost(forge_archive: Forge) -> None:
    story = told(forge_archive("shop", kind="rootfs"))
    assert story.chapter("paperwork").title == "The paperwork is gone"
    assert "What is lost: the config" in words(story, "paperwork")


def test_another_engine_can_be_asked(forge_archive: Forge) -> None:
    with imagepeel.open(forge_archive("shop")) as archive:
        story = explain_image(archive.image(), engine="podman@5.8")
    assert "podman 5.8 will ask the kernel" in words(story, "process")


def test_an_archive_from_memory_says_to_save_it(forge_archive: Forge) -> None:
    from imagepeel.archive.source import MemorySource

    with imagepeel.open(MemorySource(forge_archive("hello").read_bytes(), "-")) as archive:
        story = explain_image(archive.image())
    assert all("image.tar" in receipt.command for receipt in story.receipts())


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    digest = "sha256:" + "0" * 64
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (tmp_path / "index.json").write_text(
        '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        f'"digest":"{digest}","size":7}}]}}'
    )
    story = told(tmp_path)
    assert "MISSING" in words(story, "paperwork")
    assert story.chapter("layers").title == "The layers are not known"


@pytest.mark.parametrize("name", ["shop", "hello"])
def test_the_rows_of_the_first_table_add_up_to_the_members(forge_archive: Forge, name: str) -> None:
    path = forge_archive(name)
    story = told(path)
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    folders = sum(member.isdir() for member in members)
    many = "a directory" if folders == 1 else "directories"
    assert f"{len(members)} members, {folders} of them {many}." in words(story, "file")
    table = next(block for block in story.chapter("file").blocks if isinstance(block, Table))
    assert len(table.rows) + table.hidden + folders == len(members)


def test_two_steps_that_both_made_a_layer(tmp_path: Path) -> None:
    layers = [forge.layer(forge.file(name, b"x"), created_by=f"COPY {name} /") for name in ("a", "b")]
    forge.write(forge.image(*layers), tmp_path / "i.tar")
    assert "Here both made a layer." in words(told(tmp_path / "i.tar"), "layers")


def test_remarks_for_information_are_not_denied(forge_archive: Forge) -> None:
    path = forge_archive("hello")
    with imagepeel.open(path) as archive:
        remarks = archive.image().findings()
    assert [finding.severity for finding in remarks] == ["info"]
    assert "1 remark for information: imagepeel wtf" in words(told(path), "surprises")


def test_an_opaque_mark_at_the_root_is_told_as_overlayfs_takes_it(tmp_path: Path) -> None:
    # The kernel always merges the root of a mount: fs/overlayfs/namei.c, and the recorded cases of real engines.
    spec = forge.image(
        forge.layer(forge.directory("a"), forge.file("a/x", "1")),
        forge.layer(forge.opaque(""), forge.file("b", "2")),
        names="t:1",
    )
    with imagepeel.open(forge.write(spec, tmp_path / "t.tar")) as archive:
        image = archive.image()
        told = " ".join(str(image.explain()).split())
        assert image.rootfs.resolve("/a/x").node is not None
    assert "an opaque whiteout for the root: overlayfs ignores it" in told
    assert "in lower layers disappears" not in told


def test_a_layer_hung_on_the_last_step_belongs_to_the_step_that_wrote_it(tmp_path: Path) -> None:
    """buildah without --layers marks every step as empty but the last, a CMD that writes no file."""
    steps = (forge.Step(created_by="ADD rootfs.tar /", empty=True), forge.Step(created_by='CMD ["/hello"]'))
    spec = forge.image(forge.layer(forge.file("hello", b"x", mode=0o755)), entrypoint=["/hello"], history=steps)
    path = forge.write(spec, tmp_path / "hung.tar")
    story = told(path)
    chapter = words(story, "layers")
    assert re.search(r"^L1  1  ADD rootfs.tar /  ", chapter, re.M)
    assert "The history says that step 2 made L1, and marks step 1 as empty" in chapter
    assert "Paperwork only, no bytes: 1 step, CMD." in chapter
    assert "/hello" in words(story, "process") and "L1, step 2" not in words(story, "process")
    with imagepeel.open(path) as archive:
        image = archive.image()
        assert [(layer.step, layer.created_by) for layer in image.layers] == [(0, "ADD rootfs.tar /")]
        assert [line.layer for line in image.dockerfile().instructions] == [0, None]


def test_a_layer_of_several_steps_names_them_all(tmp_path: Path) -> None:
    steps = [forge.Step(created_by=words_, empty=True) for words_ in ("RUN a", "ENV A=1", "COPY b /")]
    history = (*steps, forge.Step(created_by='CMD ["/hello"]'))
    spec = forge.image(forge.layer(forge.file("hello", b"x", mode=0o755)), entrypoint=["/hello"], history=history)
    chapter = words(told(forge.write(spec, tmp_path / "many.tar")), "layers")
    assert re.search(r"^L1  1, 3  RUN a \+ COPY b /  ", chapter, re.M)
    assert "Here two of four wrote one layer." in chapter


def test_one_row_a_round_and_each_sentence_once(forge_archive: Forge) -> None:
    for name in ("no-library", "no-loader", "shop"):
        rounds = [block for block in told(forge_archive(name)).chapter("process").blocks if isinstance(block, Steps)]
        labels = [one.label for block in rounds for one in block.rounds]
        assert labels and len(labels) == len(set(labels)) and "loader" not in labels
        said = "".join(plain(one.what) for block in rounds for one in block.rounds)
        assert said.count("the kernel accepts") == (name == "no-library")


def test_chapters_by_number_and_by_name(forge_archive: Forge) -> None:
    with imagepeel.open(forge_archive("shop")) as archive:
        image = archive.image()
        whole = image.explain()
        assert image.explain([5, "layers"]).chapters == (whole.chapters[2], whole.chapters[4])
        brief = image.explain(())
        assert brief.chapters == () and brief.summary == whole.summary and brief.headline == whole.headline
        assert [chapter.id for chapter in whole.chapters] == list(CHAPTERS)
        for wrong in (0, 7, "layer", "-1", "9" * 30):
            with pytest.raises(UsageError, match="no chapter"):
                image.explain([wrong])
