"""Every byte has a place: sums equal the sizes that the file system gives, offsets those that GNU tar prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel.anatomy.account import account
from imagepeel.anatomy.content import content_fields
from imagepeel.errors import UsageError
from imagepeel.formats.compressed import gzip_members, zstd_frames
from imagepeel.formats.tar.fields import header_fields
from imagepeel.formats.tar.header import BLOCK
from imagepeel.formats.tar.table import EntryTable
from imagepeel.results.anatomy import anatomy_of_archive, anatomy_of_layer

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
        assert layer.tar.accounted == layer.tar.size
        stored = layer.stored
        assert stored.heads + stored.streams + stored.trailers + stored.rest == stored.size
        assert (stored.rest == 0) is (compression != "none")


def test_real_archives_add_up(shared_root: Path) -> None:
    folder = shared_root / "images"
    if not folder.exists():
        pytest.skip("the collection of real images is not here")
    looked = 0
    for path in sorted(folder.rglob("*.tar"))[::6]:
        try:
            with imagepeel.open(path) as archive:
                images = archive.images()
                if not images:
                    continue
                found = anatomy_of_archive(images[0])
        except imagepeel.ImagepeelError:
            continue
        looked += 1
        if found.tar is not None and not found.wrapping:
            assert found.tar.accounted == path.stat().st_size, path
        for layer in found.layers:
            if layer.tar is not None:
                assert layer.tar.accounted == layer.tar.size, path
    assert looked > 5


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
