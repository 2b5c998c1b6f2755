"""Every byte has a place: sums equal the sizes that the file system gives, offsets those that GNU tar prints."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import imagepeel
from imagepeel import forge
from imagepeel.anatomy.account import TarAccount, account, member_part
from imagepeel.anatomy.content import content_fields
from imagepeel.archive.source import MemorySource
from imagepeel.archive.tar_members import TarMembers
from imagepeel.errors import UsageError
from imagepeel.formats.compressed import gzip_members, zstd_frames
from imagepeel.formats.tar.fields import header_fields
from imagepeel.formats.tar.header import BLOCK
from imagepeel.formats.tar.table import EntryTable
from imagepeel.limits import Limits
from imagepeel.oci.json_fields import json_fields
from imagepeel.results.anatomy import AnatomyPart, AnatomyStored, anatomy_of_archive, anatomy_of_layer

Make = Callable[..., Path]
Run = Callable[..., Any]


def reading(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, count: data[offset : offset + count]


def made(tmp_path: Path, *options: str, name: str = "hello.txt", content: bytes = b"hello\n") -> bytes:
    """A tar that GNU tar writes of one file."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(content)
    os.utime(tmp_path / name, (1_700_000_000, 1_700_000_000))
    words = ["tar", "--owner=ada:7", "--group=crew:8", "--mode=0640", *options, "-cf", "-", name]
    return subprocess.run(words, cwd=tmp_path, capture_output=True, check=True).stdout


@pytest.mark.parametrize("form", ["v7", "ustar", "oldgnu", "gnu", "posix"])
def test_the_fields_of_a_header_say_what_gnu_tar_was_told(tmp_path: Path, form: str) -> None:
    data = made(tmp_path, f"--format={form}")
    blocks = data[: (3 if form == "posix" else 1) * BLOCK]
    fields = header_fields(blocks)
    assert b"".join(field.data for field in fields) == blocks
    assert [field.offset for field in fields] == [sum(f.size for f in fields[:i]) for i in range(len(fields))]
    own = {field.name: field.value for field in fields if field.offset >= len(blocks) - BLOCK}
    assert own["name"] == "hello.txt" and own["mode"] == "0640"
    assert own["uid"] == "7" and own["gid"] == "8" and own["size"] == "6 bytes"
    assert own["mtime"] == "2023-11-14 22:13:20 UTC" and own["typeflag"].startswith("regular file")
    assert own["chksum"].endswith(", right")
    if form != "v7":
        assert own["uname"] == "ada" and own["gname"] == "crew"


def test_long_names_stand_in_the_blocks_before(tmp_path: Path) -> None:
    name = "a" * 120 + "/" + "b" * 120
    for form, field in (("gnu", "long name"), ("posix", "PAX path")):
        data = made(tmp_path, f"--format={form}", name=name)
        blocks = data[: next(at for at in range(0, len(data), BLOCK) if data[at + 156 : at + 157] == b"0") + BLOCK]
        assert name in {one.value for one in header_fields(blocks) if one.name == field}
        assert b"".join(one.data for one in header_fields(blocks)) == blocks


def test_a_wrong_checksum_is_told_with_the_right_one(tmp_path: Path) -> None:
    block = bytearray(made(tmp_path, "--format=ustar")[:BLOCK])
    stated = int(block[148:154], 8)
    block[0] += 1
    found = {field.name: field.value for field in header_fields(bytes(block))}
    assert found["chksum"] == f"{stated:,}, wrong: the bytes give {stated + 1:,}"


def test_the_regions_of_a_sparse_file_are_told(tmp_path: Path) -> None:
    holed = tmp_path / "holed"
    with holed.open("wb") as file:
        for at in range(8):
            file.seek(at << 20)
            file.write(b"x" * 4096)
        file.truncate(10 << 20)
    data = subprocess.run(
        ["tar", "--format=oldgnu", "-S", "-cf", "-", "holed"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    fields = header_fields(data[: 2 * BLOCK])
    assert b"".join(field.data for field in fields) == data[: 2 * BLOCK]
    assert [field.value for field in fields if field.name == "sparse" and "bytes at" in field.value][:8] == [
        f"4,096 bytes at {at << 20:,} of the file" for at in range(8)
    ]
    assert "10,485,760 bytes" in {field.value for field in fields if field.name == "realsize"}


def test_members_of_gzip_are_told_apart(tmp_path: Path) -> None:
    parts = [b"first " * 1000, b"second " * 50_000]
    stored = []
    for number, part in enumerate(parts):
        (tmp_path / f"part{number}").write_bytes(part)
        os.utime(tmp_path / f"part{number}", (1_700_000_000, 1_700_000_000))
        stored.append(
            subprocess.run(["gzip", "-9c", f"part{number}"], cwd=tmp_path, capture_output=True, check=True).stdout
        )
    data = b"".join(stored)
    units = list(gzip_members(reading(data), len(data)))
    assert [unit.size for unit in units] == [len(one) for one in stored]
    assert [unit.content for unit in units] == [len(one) for one in parts]
    assert [unit.problem for unit in units] == ["", ""]
    first = {field.name: field.value for field in units[0].fields}
    assert first["FNAME"] == "part0" and first["MTIME"] == "2023-11-14 22:13:20 UTC" and first["OS"] == "Unix"
    crc = subprocess.run(["gzip", "-lv"], input=stored[0], capture_output=True, check=True).stdout.split()
    assert first["CRC32"].encode() in crc
    cut = data[:-20]
    assert list(gzip_members(reading(cut), len(cut)))[-1].problem == "the file ends inside the compressed stream"
    assert sum(unit.size for unit in gzip_members(reading(cut), len(cut))) == len(cut)


def test_frames_of_zstd_are_told_apart() -> None:
    zstandard = pytest.importorskip("zstandard")
    parts = [b"first " * 1000, b"", b"third " * 90_000]
    stored = [zstandard.ZstdCompressor(write_checksum=True).compress(part) for part in parts]
    data = stored[0] + b"\x50\x2a\x4d\x18\x03\0\0\0abc" + stored[1] + stored[2]
    units = list(zstd_frames(reading(data), len(data)))
    assert [unit.size for unit in units] == [len(stored[0]), 11, len(stored[1]), len(stored[2])]
    assert [unit.content for unit in units] == [6000, 0, 0, 540_000]
    assert [unit.what for unit in units].count("skippable frame") == 1
    for end in range(len(data)):
        assert sum(unit.size for unit in zstd_frames(reading(data[:end]), end)) <= end


def test_an_elf_file_is_told_as_readelf_tells_it() -> None:
    program = Path("/bin/ls").read_bytes()
    kind, fields = content_fields(reading(program))
    found = {field.name: field.value for field in fields}
    said = subprocess.run(["readelf", "-hlW", "/bin/ls"], capture_output=True, check=True, text=True).stdout
    assert kind == "ELF"
    assert found["e_entry"] == re.search(r"Entry point address:\s*(\S+)", said)[1]  # type: ignore[index]
    assert found["e_phnum"] == re.search(r"Number of program headers:\s*(\d+)", said)[1]  # type: ignore[index]
    assert found["loader"] == re.search(r"interpreter: ([^]]+)\]", said)[1]  # type: ignore[index]
    assert all(program[field.offset : field.end] == field.data for field in fields)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"#!/bin/sh\n", ["#!", "interpreter", "newline"]),
        (b"#! /usr/bin/env -S a b \necho", ["#!", "blanks", "interpreter", "argument", "newline"]),
        (b"#!/bin/sh\r\n", ["#!", "interpreter", "newline"]),
        (b"#!\n", ["#!", "newline"]),
        (b"plain\n", []),
    ],
)
def test_a_script_is_told_as_the_kernel_reads_it(line: bytes, found: list[str]) -> None:
    fields = content_fields(reading(line))[1]
    assert [field.name for field in fields] == found
    assert b"".join(field.data for field in fields) == (line.partition(b"\n")[0] + b"\n" if found else b"")


def tar_blocks(archive: Path) -> list[int]:
    """The offsets at which GNU tar finds the entries of a tar."""
    said = subprocess.run(["tar", "-tRf", archive], capture_output=True, check=True, text=True).stdout
    return [
        BLOCK * int(line.split(":")[0].removeprefix("block "))
        for line in said.splitlines()
        if "Block of NUL" not in line
    ]


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_all_bytes_of_an_archive_have_a_place(forge_archive: Make, kind: str, compression: str) -> None:
    path = forge_archive("shop", kind=kind, compression=compression)
    with imagepeel.open(path) as archive:
        found = anatomy_of_archive(archive.image())
    assert found.tar is not None
    assert found.tar.accounted == found.tar.size == path.stat().st_size
    assert [part.offset for part in found.parts] == tar_blocks(path)
    for layer in found.layers:
        assert layer.tar is not None and layer.stored is not None
        assert (layer.stored.rest == 0) is (compression != "none")
        adds_up(layer.tar, layer.stored)


def adds_up(tar: TarAccount | None, stored: AnatomyStored | None) -> None:
    assert tar is None or tar.accounted == tar.size
    if stored is not None:
        assert stored.heads + stored.streams + stored.trailers + stored.rest == stored.size


def follow_each_other(parts: Sequence[AnatomyPart], tar: TarAccount) -> None:
    """Entries and regions fill the tar from its first byte to its last, and none covers another."""
    runs = [(part.offset, part.headers + part.content + part.padding) for part in parts]
    at = 0
    for offset, size in sorted([*runs, *((region.offset, region.size) for region in tar.regions)]):
        assert offset == at
        at += size
    assert at == tar.size


def all_of(path: Path) -> int:
    """Hold the archive, its layers and the units of compressed bytes against their sizes; return the count of tars."""
    tars = 0
    with imagepeel.open(path) as archive:
        for image in archive.images()[:2]:
            image.scan()
            found = anatomy_of_archive(image)
            assert found.file_size == (path.stat().st_size if path.is_file() else None)
            adds_up(found.tar, found.stored)
            assert (found.stored.size if found.stored else found.file_size) == found.file_size
            if found.tar is not None:
                assert found.wrapping or found.tar.size == path.stat().st_size
                follow_each_other(found.parts, found.tar)
                tars += 1
            for layer in (layer for layer in image.layers if layer.readable):
                one = anatomy_of_layer(image, layer)
                adds_up(one.tar, one.layers[0].stored)
                if one.tar is not None:
                    follow_each_other(one.parts, one.tar)
                    tars += 1
    return tars


@pytest.mark.parametrize("name", forge.NAMES)
def test_every_teaching_image_adds_up(name: str, tmp_path: Path) -> None:
    forge.write(forge.build(name), tmp_path / "image.tar")
    assert all_of(tmp_path / "image.tar") >= 1


@pytest.mark.parametrize("kind", forge.KINDS)
def test_every_kind_of_archive_adds_up(kind: str, tmp_path: Path) -> None:
    for outer in ("",) if kind in forge.FOLDER_KINDS else ("", "gzip", "zstd", "xz", "bzip2"):
        forge.write(forge.build("hello"), tmp_path / f"image-{outer}", kind, outer=outer)
        assert all_of(tmp_path / f"image-{outer}") >= 1


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_the_regions_of_a_sparse_file_stand_in_pax_records_too(tmp_path: Path, version: str) -> None:
    with (tmp_path / "holed").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"x" * 4096)
    words = ["tar", "--format=posix", "-S", f"--sparse-version={version}", "-cf", "holed.tar", "holed"]
    subprocess.run(words, cwd=tmp_path, check=True)
    data = (tmp_path / "holed.tar").read_bytes()
    members = TarMembers(MemorySource(data), Limits())
    (member,) = members
    part = member_part(members, member)
    blocks = data[part.offset : part.offset + part.headers]
    fields = header_fields(blocks)
    assert b"".join(field.data for field in fields) == blocks
    said = {field.name: field.value for field in fields}
    if version == "0.0":
        assert next(f.value for f in fields if f.name == "PAX GNU.sparse.offset") == str(1 << 20)
    elif version == "0.1":
        assert said["PAX GNU.sparse.map"].startswith(f"{1 << 20},4096")
    else:
        assert said["sparse map"].split()[1:3] == [str(1 << 20), "4096"]


def test_real_archives_add_up(shared_root: Path) -> None:
    folder = shared_root / "images"
    if not folder.exists():
        pytest.skip("the collection of real images is not here")
    looked = 0
    paths = [path for form in ("*.tar", "*.tar.gz", "*.tar.xz") for path in sorted(folder.rglob(form))[::4]]
    for path in paths:
        try:
            looked += all_of(path) > 1
        except imagepeel.ImagepeelError:
            continue
    assert looked >= 12


def test_what_follows_the_end_is_told() -> None:
    zeros = bytes(2 * BLOCK)
    data = zeros + bytes(3 * BLOCK) + b"secret" + bytes(6)
    found = account([], len(data), reading(data), whole=True)
    assert [(region.kind, region.offset, region.size) for region in found.regions] == [
        ("end", 0, 1024), ("fill", 1024, 1536), ("behind", 2560, 12),
    ]  # fmt: skip
    long = bytes(3 << 20)
    kinds = [region.kind for region in account([], len(long), reading(long), whole=True).regions]
    assert kinds == ["end", "fill", "not read"]
    assert account([], 100, reading(data), whole=False).regions[0].kind == "not read"


def test_an_entry_has_its_header_in_python(forge_archive: Make) -> None:
    path = forge_archive("shop")
    with imagepeel.open(path) as archive:
        layer = archive.image().layers[0]
        entry = next(entry for entry in layer.entries if entry.path == b"/bin/sh")
        header = entry.header
        assert header.field("size").value == f"{entry.size} bytes"
        assert header.at(124).name == "size" and header.at(511).name == "unused"
        with pytest.raises(IndexError):
            header.at(512)
        with pytest.raises(KeyError):
            header.field("colour")
        found = anatomy_of_layer(archive.image(), layer)
        assert [part.offset for part in found.parts] == [entry.header_offset for entry in layer.entries]
    with pytest.raises(UsageError):
        _ = next(iter(_with_one_entry(EntryTable()))).header


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=12,
    ),
    st.booleans(),
)
def test_values_of_json_are_the_bytes_that_python_reads(value: Any, compact: bool) -> None:
    data = json.dumps(value, ensure_ascii=compact, indent=None if compact else 2).encode("utf-8", "replace")
    fields = json_fields(data)
    assert bool(fields) is isinstance(value, dict | list)
    at = 0
    for field in fields:
        assert field.offset >= at and data[field.offset : field.end] == field.data
        at = field.end
        here: Any = json.loads(data)
        for token in field.name.split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            here = here[int(key)] if isinstance(here, list) else here[key]
        assert field.data.decode().endswith(field.value) or isinstance(here, str | list | dict)
        if isinstance(here, str):
            assert here == field.value


@pytest.mark.parametrize(
    "data",
    [b"{", b"[1,", b'{"a":1}{', b"[" * 100_000, b'{"a":NaN}', b"", b"{}", b'"text"', b"\xef\xbb\xbf{\"a\": 1}",
     b'{"a":1,"a":2}', b'{"\xff":"\xfe\xff","b":"\\ud800"}', b'{"a":"\x00"}', b"[" + b"9" * 5000 + b"]"],
)  # fmt: skip
def test_a_document_that_is_none_or_odd_has_bytes_all_the_same(data: bytes) -> None:
    for field in json_fields(data):
        assert data[field.offset : field.end] == field.data
        field.value.encode("utf-8", "surrogateescape")


def test_a_document_stands_beside_the_digest_that_names_it(forge_archive: Make, run_cli: Run) -> None:
    path = forge_archive("shop", kind="oci-archive")
    unpacked = ["tar", "-xOf", path]
    index = json.loads(subprocess.run([*unpacked, "index.json"], capture_output=True, check=True).stdout)
    name = "blobs/sha256/" + index["manifests"][0]["digest"].removeprefix("sha256:")
    result = json.loads(run_cli("anatomy", path, name, "--json").stdout)["result"]
    stored = subprocess.run([*unpacked, name], capture_output=True, check=True).stdout
    assert result["digest"] == index["manifests"][0]["digest"] == "sha256:" + hashlib.sha256(stored).hexdigest()
    (naming,) = result["named"]
    assert (naming["role"], naming["state"]) == ("manifest", "verified")
    assert (naming["where"]["member"], naming["where"]["pointer"]) == ("index.json", "/manifests/0")
    values = {field["name"]: field["value"] for field in result["content"]}
    assert values["/config/digest"] == json.loads(stored)["config"]["digest"]
    shown = run_cli("anatomy", path, name).stdout
    assert f"digest {result['digest']}." in shown and "index.json /manifests/0 names it by this digest" in shown
    at = run_cli("anatomy", path, "index.json")
    assert "No document that was read names it by its digest." in at.stdout


def test_a_document_with_another_digest_than_its_name_is_told(run_cli: Run, tmp_path: Path) -> None:
    path = forge.write(forge.build("shop"), tmp_path / "image.tar", "oci-archive")
    index = json.loads(subprocess.run(["tar", "-xOf", path, "index.json"], capture_output=True, check=True).stdout)
    stated = index["manifests"][0]["digest"]
    data = path.read_bytes()
    at = data.index(b'"schemaVersion":2', data.index(b"vnd.oci.image.config.v1"))
    path.write_bytes(data[:at] + b'"SchemaVersion":2' + data[at + 17 :])
    result = json.loads(run_cli("anatomy", path, "blobs/sha256/" + stated[7:], "--json").stdout)["result"]
    assert result["digest"] != stated
    assert [(naming["digest"], naming["state"]) for naming in result["named"]] == [(stated, "mismatch")]


def test_a_secret_in_a_document_is_masked_in_words_and_bytes(tmp_path: Path, run_cli: Run) -> None:
    secret = "DB_PASSWORD=hunter2-is-not-9f8a"
    spec = forge.image(forge.layer(forge.file("a", "a")), entrypoint=["/a"], env=[secret], names="a:1")
    forge.write([spec], tmp_path / "a.tar")
    members = subprocess.run(["tar", "-tf", "a.tar"], cwd=tmp_path, capture_output=True, check=True, text=True).stdout
    config = next(name for name in members.split() if name.endswith(".json") and "manifest" not in name)
    shown = run_cli("anatomy", tmp_path / "a.tar", config, "--json").stdout
    assert "hunter2" not in shown and b"hunter2".hex() not in shown and b"hunter2".hex(" ") not in shown


def _with_one_entry(table: EntryTable) -> EntryTable:
    table.header_offsets.append(0)
    table.header_blocks.append(1)
    return table


def test_the_command_shows_each_form(forge_archive: Make, run_cli: Run) -> None:
    path = forge_archive("shop")
    whole = run_cli("anatomy", path)
    assert f"sum: {path.stat().st_size:,} bytes" in whole.stdout and whole.exit_code == 0
    shown = run_cli("anatomy", path, "L1:/bin/sh").stdout
    proof = (
        next(line for line in shown.splitlines() if line.startswith("try it")).removeprefix("try it").partition("#")[0]
    )
    dumped = subprocess.run(proof, shell=True, cwd=path.parent, capture_output=True, text=True, check=True).stdout
    assert dumped.split()[:6] == ["62", "69", "6e", "2f", "73", "68"]
    one = json.loads(run_cli("anatomy", path, "manifest.json", "--field", "size", "--json").stdout)["result"]
    assert [bytes.fromhex(field["hex"]).rstrip(b"\0") for field in one["fields"]] == [
        b"%011o" % one["parts"][0]["content"]
    ]
    at = json.loads(run_cli("anatomy", path, "L1:/bin/sh", "--at", "130", "--json").stdout)["result"]
    assert [field["name"] for field in at["fields"]] == ["size"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["L99"], "the image has no layer L99"),
        (["L1:/no/such"], "has no entry for /no/such"),
        (["nowhere.json"], "the archive has no member nowhere.json"),
        (["L1:/bin/sh", "--field", "colour"], "no field colour"),
        (["L1:/bin/sh", "--at", "99999"], "no field has byte 99999"),
        (["--field", "size"], "no field size"),
    ],
)
def test_what_is_not_there_is_said(forge_archive: Make, run_cli: Run, words: list[str], said: str) -> None:
    result = run_cli("anatomy", forge_archive("shop"), *words)
    assert said in result.stderr
    assert result.exit_code == imagepeel.NotFound.exit_code


def test_a_directory_has_files_and_no_headers(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    path = forge_archive("shop", kind="oci-archive")
    subprocess.run(["tar", "-xf", path, "-C", tmp_path], check=True)
    result = run_cli("anatomy", tmp_path)
    total = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert f"{total:,}" in result.stdout and "no headers" in result.stdout
    refused = run_cli("anatomy", tmp_path, "index.json")
    assert refused.exit_code == imagepeel.NotFound.exit_code and "have no headers" in refused.stderr
