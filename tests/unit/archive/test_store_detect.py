from __future__ import annotations

import bz2
import lzma
import tarfile
from pathlib import Path

import pytest
import zstandard
from store_archives import (
    LAYER,
    Files,
    docker_save,
    entry,
    gz,
    js,
    manifest,
    one_image,
    opened,
    tar,
    written,
)

from imagepeel.archive.opened import open_archive
from imagepeel.archive.source import FileSource
from imagepeel.errors import ImagepeelError, Malformed, NotAnImage, NotFound, Unsupported
from imagepeel.limits import Limits

ROOTFS: Files = {"bin/sh": b"x", "etc/passwd": b"", "usr/bin/env": b"x", "var/log/x": b""}


@pytest.mark.parametrize(
    ("files", "kind", "rule"),
    [
        (one_image(), "oci-layout", "oci-layout"),
        ({k: v for k, v in one_image().items() if k != "oci-layout"}, "oci-layout", "oci-layout"),
        (docker_save(), "docker-archive", "docker-archive"),
        ({**docker_save(), **one_image()}, "hybrid", "hybrid"),
        ({"manifest.json": manifest(b"{}"), "version": b"Directory Transport Version: 1.1\n"}, "dir", "dir"),
        ({"a1/json": b"{}", "a1/layer.tar": LAYER, "a1/VERSION": b"1.0"}, "docker-v1", "docker-v1"),
        ({f"images/{k}": v for k, v in one_image().items()}, "oci-layout", "oci-layout-below"),
        ({f"x/{k}": v for k, v in docker_save().items()}, "docker-archive", "docker-archive-below"),
        (ROOTFS, "rootfs", "rootfs"),
        ({".dockerenv": b"", "app": b"x"}, "rootfs", "rootfs"),
        ({"app/.wh.old": b"", "app/new": b"x"}, "layer", "layer"),
        ({"Files/Windows/x": b"", "Hives/y": b""}, "windows-layer", "windows-layer"),
        ({"README": b"x"}, "tar", "tar"),
        ({"manifest.json": js({"name": "a web app"}), "index.html": b""}, "tar", "tar"),
        ({}, "tar", "tar"),
    ],
)
def test_each_kind_is_recognised_by_its_content_and_names_the_rule(files: Files, kind: str, rule: str) -> None:
    container = opened(files)
    assert (container.kind.name, container.detection.id) == (kind, rule)
    assert container.detection.sentence
    assert container.records


@pytest.mark.parametrize("files", [one_image(), docker_save(), {**docker_save(), **one_image()}])
def test_a_directory_is_recognised_as_its_tar(files: Files, tmp_path: Path) -> None:
    from_tar = opened(files)
    with open_archive(written(tmp_path, files)) as container:
        assert container.medium == "directory"
        assert (container.kind.name, container.detection) == (from_tar.kind.name, from_tar.detection)
        assert [r.image_id for r in container.records] == [r.image_id for r in from_tar.records]
        assert [r.complete for r in container.records] == [True]


@pytest.mark.parametrize(
    ("wrap", "wrapping"),
    [
        (gz, ("gzip",)),
        (lzma.compress, ("xz",)),
        (bz2.compress, ("bzip2",)),
        (zstandard.compress, ("zstd",)),
        (lambda data: zstandard.compress(gz(data)), ("zstd", "gzip")),
    ],
)
def test_outer_compression_is_taken_off_by_its_magic(wrap: object, wrapping: tuple[str, ...]) -> None:
    container = opened(wrap(tar(one_image())))  # type: ignore[operator]
    assert (container.kind.name, container.wrapping) == ("oci-layout", wrapping)
    assert container.records[0].complete
    layer = container.records[0].layers[0]
    assert layer.source().pread(0, 1 << 20) == LAYER


def test_three_compressions_are_too_many() -> None:
    with pytest.raises(NotAnImage):
        opened(gz(gz(gz(tar(one_image())))))


def test_a_compressed_bare_layer_keeps_its_stored_bytes() -> None:
    stored = gz(LAYER)
    container = opened(stored)
    (record,) = container.records
    assert (container.kind.name, container.wrapping) == ("tar", ("gzip",))
    assert record.layers[0].source().pread(0, 1 << 20) == stored
    assert record.config is None
    assert "entrypoint" in record.lost


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", NotAnImage, "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", NotAnImage, "Git LFS"),
        (b"#!/usr/bin/env run-singularity\n\0" + b"SIF_MAGIC\0" + bytes(600), Unsupported, "SIF"),
        (b"hsqs" + bytes(600), Unsupported, "squashfs"),
        (bytes(1024) + b"\xe2\xe1\xf5\xe0" + bytes(600), Unsupported, "EROFS"),
        (b"PK\x03\x04" + bytes(600), NotAnImage, "zip"),
        (b"!<arch>\ndebian-binary", NotAnImage, "Debian"),
        (b"\x7fELF" + bytes(600), NotAnImage, "ELF"),
        (b"QFI\xfb" + bytes(600), NotAnImage, "qcow2"),
        (b"\x04\x22\x4d\x18" + bytes(600), Unsupported, "lz4"),
        (b"<!DOCTYPE html><html>404", NotAnImage, "web page"),
        (manifest(b"{}"), NotAnImage, "JSON document of an image"),
        (b'{"a": 1}', NotAnImage, "JSON file"),
        (b"../image/manifest.json", NotAnImage, "symbolic link"),
        (b"short", NotAnImage, "too few"),
        (b"\x01" * 2000, NotAnImage, "01 01"),
        (LAYER[:300], NotAnImage, "cut off"),
    ],
)
def test_what_is_no_image_is_named_with_a_hint(data: bytes, error: type[ImagepeelError], words: str) -> None:
    with pytest.raises(error) as caught:
        opened(data)
    assert words in f"{caught.value.what} {caught.value.hint}"
    assert caught.value.hint


def test_a_tar_with_a_damaged_first_header_is_malformed_not_unknown() -> None:
    data = bytearray(tar(one_image()))
    data[0] ^= 1
    with pytest.raises(Malformed, match="first header is damaged"):
        opened(bytes(data))


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        ({"x": b""}, NotAnImage, "neither index.json nor manifest.json"),
        (ROOTFS, NotAnImage, "directory of files"),
        ({"blobs/sha256/x": b""}, NotAnImage, "blobs but neither"),
        ({"docker/registry/v2/blobs/sha256/ab/x/data": b""}, NotAnImage, "storage of a registry"),
        ({"index.json": js({"schemaVersion": 2})}, NotAnImage, "lists no manifests"),
        ({"oci-layout": b"{}"}, Malformed, "no index.json"),
        ({"oci-layout": b"{}", "index.json": b"{"}, Malformed, "not JSON"),
        ({"oci-layout": b"{}", "index.json/x": b"{"}, Malformed, "index.json is a dir"),
        ({"index.json": b""}, Malformed, "empty"),
        ({"index.json": b"../index.json"}, Malformed, "symbolic link"),
        ({"oci-layout": b"{}", "index.json": b"[]"}, Malformed, "not a JSON object"),
        ({"manifest.json": b"null"}, Malformed, "null"),
        ({"manifest.json": b"[]"}, Malformed, "empty list"),
        ({"manifest.json": b"[{"}, Malformed, "not JSON"),
    ],
)
def test_directories_without_a_readable_image_say_what_is_wrong(
    files: Files, error: type[ImagepeelError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        open_archive(written(tmp_path, files))
    assert words in caught.value.what
    assert caught.value.hint


def test_null_and_empty_lists_of_images_are_told_apart_in_a_tar() -> None:
    with pytest.raises(Malformed, match="is null"):
        opened({"manifest.json": b"null"})
    with pytest.raises(Malformed, match="empty list"):
        opened({"manifest.json": b"[]"})


def test_registry_storage_in_a_tar_is_named() -> None:
    with pytest.raises(NotAnImage, match="storage of a registry"):
        opened({"docker/registry/v2/blobs/sha256/ab/x/data": b""})


def test_a_tar_of_very_many_members_is_one_layer_and_says_how_far_it_was_looked_at() -> None:
    limits = Limits(archive_members=6)
    many = {**ROOTFS, **{f"usr/{i}": b"" for i in range(10)}}
    assert opened(many, limits).kind.name == "rootfs"
    unknown = opened({str(i): b"" for i in range(10)}, limits)
    assert unknown.kind.name == "tar" and "6 members" in unknown.detection.sentence


def test_links_outside_do_not_make_a_layout(tmp_path: Path) -> None:
    outside = written(tmp_path / "out", one_image())
    root = tmp_path / "in"
    root.mkdir()
    (root / "index.json").symlink_to(outside / "index.json")
    (root / "oci-layout").symlink_to(outside / "oci-layout")
    with pytest.raises(ImagepeelError):
        open_archive(root)
    linked = opened(tar([(entry("index.json", tarfile.SYMTYPE, "/etc/hostname"), b"")]))
    assert linked.kind.name == "tar"


def test_paths_that_are_missing_or_no_files_are_errors(tmp_path: Path) -> None:
    import os

    with pytest.raises(NotFound):
        open_archive(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unsupported):
        open_archive(tmp_path / "pipe")


def test_a_source_and_a_path_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(tar(one_image()))
    with open_archive(path) as by_path, open_archive(FileSource.open(path)) as by_source:
        assert by_path.kind.name == by_source.kind.name == "oci-layout"
        layer = by_path.records[0].layers[1]
        assert layer.archive_offset is not None
        data = path.read_bytes()
        assert data[layer.archive_offset : layer.archive_offset + (layer.size or 0)] == layer.source().pread(0, 1 << 20)
