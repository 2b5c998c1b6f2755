"""The tar writer against literal bytes, Python's tarfile and GNU tar."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel import forge
from imagepeel.errors import UsageError
from imagepeel.forge.tar import pax_body, split_name

gnu_tar = pytest.mark.skipif(shutil.which("tar") is None, reason="GNU tar is not installed")


def read(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        return archive.getmembers()


def content(data: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        found = archive.extractfile(name)
        assert found is not None
        return found.read()


def test_a_plain_file_is_this_header_and_one_padded_block() -> None:
    data = forge.encode([forge.file("etc/motd", "hi\n", uid=8, gid=9, mtime=0o14545602400)])
    head = b"etc/motd".ljust(100, b"\0") + b"0000644\0" + b"0000010\0" + b"0000011\0" + b"00000000003\0"
    head += b"14545602400\0" + b"        " + b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2
    head = head.ljust(512, b"\0")
    head = head[:148] + b"%06o\0 " % sum(head) + head[156:]
    assert data == head + b"hi\n".ljust(512, b"\0") + bytes(1024)


def test_every_kind_reads_back() -> None:
    members = read(
        forge.encode(
            [
                forge.directory("d", 0o700, 1, 2),
                forge.file("d/f", b"abc", 0o4755, 3, 4, mtime=5),
                forge.symlink("d/s", "../x"),
                forge.hardlink("d/h", "d/f"),
                forge.device("d/c", 1, 3, mode=0o666),
                forge.device("d/b", 7, 9, block=True),
                forge.fifo("d/p", 0o600),
                forge.whiteout("d/gone"),
                forge.whiteout("top/"),
                forge.opaque("d/"),
                forge.opaque(),
            ]
        )
    )
    assert [(m.name, m.type, m.mode) for m in members] == [
        ("d", b"5", 0o700),
        ("d/f", b"0", 0o4755),
        ("d/s", b"2", 0o777),
        ("d/h", b"1", 0o644),
        ("d/c", b"3", 0o666),
        ("d/b", b"4", 0o600),
        ("d/p", b"6", 0o600),
        ("d/.wh.gone", b"0", 0o600),
        (".wh.top", b"0", 0o600),
        ("d/.wh..wh..opq", b"0", 0o600),
        (".wh..wh..opq", b"0", 0o600),
    ]
    assert (members[1].size, members[1].uid, members[1].gid, members[1].mtime) == (3, 3, 4, 5)
    assert (members[2].linkname, members[3].linkname) == ("../x", "d/f")
    assert (members[4].devmajor, members[4].devminor, members[5].devmajor, members[5].devminor) == (1, 3, 7, 9)
    assert members[7].size == members[9].size == 0


@pytest.mark.parametrize("form", ["auto", "pax", "gnu"])
def test_long_names_and_targets_read_back(form: str) -> None:
    path, target = "d/" + "n" * 300, "t" * 200
    (member,) = read(forge.encode([forge.symlink(path, target, form=form)]))
    assert (member.name, member.linkname) == (path, target)


def test_a_path_that_a_slash_can_split_stays_ustar() -> None:
    path = "p" * 155 + "/" + "n" * 100
    data = forge.encode([forge.file(path)])
    assert len(data) == 512 * 3
    assert data[:100] == b"n" * 100 and data[345:500] == b"p" * 155
    assert read(data)[0].name == path
    assert split_name(b"p" * 156 + b"/n") is None
    assert split_name(b"x" * 101) is None


def test_numbers_too_wide_for_octal_become_base_256_or_pax() -> None:
    gnu = forge.encode([forge.file("f", uid=2**21, size=2**33, form="gnu")])
    assert gnu[108:116] == b"\x80\0\0\0\0\x20\0\0"
    assert gnu[124:136] == b"\x80\0\0\0\0\0\0\x02\0\0\0\0"
    pax = forge.encode([forge.file("f", uid=2**21, size=2**33)])
    assert pax[156:157] == b"x" and pax[512:].startswith(b"19 size=8589934592\n15 uid=2097152\n")
    negative = forge.encode([forge.file("f", mtime=-1, form="gnu")])
    assert negative[136:148] == b"\xff" * 12
    assert read(negative)[0].mtime == -1


@pytest.mark.parametrize(
    ("mtime", "text"),
    [
        ((1350244992, 23960108), b"30 mtime=1350244992.023960108\n"),
        (-1, b"12 mtime=-1\n"),
        ((-2, 500_000_000), b"14 mtime=-1.5\n"),
    ],
)
def test_times_of_pax(mtime: int | tuple[int, int], text: bytes) -> None:
    data = forge.encode([forge.file("f", mtime=mtime)])
    assert data[512:].startswith(text)


@given(st.binary(max_size=1100), st.text(alphabet="abc.", min_size=1, max_size=12))
def test_a_pax_record_counts_itself(value: bytes, key: str) -> None:
    record = pax_body(((key.encode(), value),))
    length, _, rest = record.partition(b" ")
    assert int(length) == len(record)
    assert rest == key.encode() + b"=" + value + b"\n"


def test_attributes_and_odd_names() -> None:
    members = read(
        forge.encode(
            [
                forge.file("x", xattrs={"user.a": b"\xff\0=\n"}),
                forge.file("caf\u00e9"),
                forge.file(b"latin-\xe9"),
                forge.file("old", "text", form="v7"),
            ]
        )
    )
    assert members[0].pax_headers["SCHILY.xattr.user.a"].encode("utf-8", "surrogateescape") == b"\xff\0=\n"
    assert [m.name for m in members[1:]] == ["caf\u00e9", "latin-\udce9", "old"]
    assert members[3].type == b"\0" and members[3].size == 4


@pytest.mark.parametrize("form", ["gnu", "pax-0.0", "pax-0.1", "pax-1.0"])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 26])
def test_sparse_files_expand_in_tarfile(form: str, count: int) -> None:
    segments = tuple((4096 * (2 * n + 1), b"%04d" % n * 128) for n in range(count))
    size = 4096 * (2 * count + 3)
    expected = bytearray(size)
    for offset, chunk in segments:
        expected[offset : offset + len(chunk)] = chunk
    data = forge.encode([forge.sparse("d/s", segments, size, form), forge.file("after", "x")])
    assert content(data, "d/s") == bytes(expected)
    assert [m.name for m in read(data)] == ["d/s", "after"]


@pytest.mark.judge
@gnu_tar
@pytest.mark.parametrize("form", ["gnu", "pax-0.0", "pax-0.1", "pax-1.0"])
def test_sparse_files_expand_in_gnu_tar(form: str, tmp_path: Path) -> None:
    # GNU tar takes every region to fill whole blocks, so only the last may be odd.
    segments = (*((8192 * (n + 1), b"%08d" % n * 64) for n in range(30)), (8192 * 35, b"end"))
    expected = bytearray(8192 * 40)
    for offset, chunk in segments:
        expected[offset : offset + len(chunk)] = chunk
    (tmp_path / "a.tar").write_bytes(forge.encode([forge.sparse("s", segments, len(expected), form)]))
    subprocess.run(["tar", "-xf", "a.tar"], cwd=tmp_path, check=True)
    assert (tmp_path / "s").read_bytes() == bytes(expected)


@pytest.mark.judge
@gnu_tar
def test_gnu_tar_lists_all_forms_without_a_word_of_complaint(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    names = ["plain", "n" * 150, "g" * 150, "caf\u00e9", "old", "pax"]
    path.write_bytes(
        forge.encode(
            [
                forge.file(names[0], "x"),
                forge.file(names[1]),
                forge.file(names[2], form="gnu"),
                forge.file(names[3]),
                forge.file(names[4], form="v7"),
                forge.file(names[5], form="pax", mtime=(5, 1)),
            ],
            blocking=20,
        )
    )
    done = subprocess.run(
        ["tar", "--quoting-style=literal", "-tf", path],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/bin:/usr/bin"},
    )
    assert done.stderr == b""
    assert done.stdout.decode().splitlines() == names
    assert path.stat().st_size % 10240 == 0


def test_fields_can_lie() -> None:
    wrong_sum = forge.encode([forge.file("f", fields={"chksum": "0000000\0"})])
    assert wrong_sum[148:156] == b"0000000\0"
    with pytest.raises(tarfile.ReadError):
        read(wrong_sum)
    minus = forge.encode([forge.file("f", fields={"size": b"\xff" * 12})])
    assert minus[124:136] == b"\xff" * 12
    assert int(minus[148:154], 8) == sum(minus[:148]) + 256 + sum(minus[156:512])
    assert forge.encode([forge.file("f", typeflag=b"D")])[156:157] == b"D"
    assert read(forge.encode([forge.file("f", "abcd", size=2)]))[0].size == 2
    assert len(forge.encode([forge.file("f", "abc", pad=False)], end_blocks=0)) == 515


def test_raw_entries_and_the_end_of_the_archive() -> None:
    block = forge.header(name=b"x", size=3, mtime=7)
    assert forge.encode([forge.raw_entry(block, b"abc")], end_blocks=1, trailing=b"tail") == (
        block + b"abc".ljust(512, b"\0") + bytes(512) + b"tail"
    )
    assert forge.encode([forge.raw_entry(b"short", pad=False)], end_blocks=0) == b"short"
    assert forge.encode([]) == bytes(1024)


def test_a_global_header_is_a_typeflag_g_with_records() -> None:
    data = forge.encode([forge.pax_global({"comment": "c"}), forge.file("f")])
    assert data[156:157] == b"g" and data[512:].startswith(b"13 comment=c\n")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["f"]
        assert archive.pax_headers == {"comment": "c"}


def test_spans_say_where_tarfile_finds_things() -> None:
    entries = [
        forge.directory("d"),
        forge.file("d/" + "n" * 200, "x" * 700),
        forge.file("g" * 200, "y", form="gnu"),
        forge.sparse("s", tuple((512 * 2 * n, b"z" * 512) for n in range(1, 40)), 1 << 20, "gnu"),
        forge.file("last", b""),
    ]
    places = forge.spans(entries)
    for member, span in zip(read(forge.encode(entries)), places, strict=True):
        assert (member.offset, member.offset_data) == (span.start, span.data)
    assert places[-1].end + 1024 == len(forge.encode(entries))
    assert places[1].header - places[1].start == 1024
    assert places[3].data - places[3].header == 512 * 3


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (forge.Entry(kind="socket"), "socket"),
        (forge.file("f", form="tape"), "tape"),
        (forge.file("f" * 300, form="ustar"), "ustar"),
        (forge.file("f", size=-1, form="ustar"), "octal"),
        (forge.file("f", xattrs={"user.a": "b"}, form="v7"), "v7"),
        (forge.file("f", fields={"colour": "b"}), "colour"),
        (forge.file("f", fields={"mode": "123456789"}), "mode"),
        (forge.Entry(kind="sparse", sparse_form="gnu-9"), "gnu-9"),
    ],
)
def test_impossible_entries_are_usage_errors_with_a_place(entry: forge.Entry, word: str) -> None:
    with pytest.raises(UsageError, match=word) as caught:
        forge.encode([forge.file("first"), entry])
    assert caught.value.where is not None and caught.value.where.entry == 1


_name = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\0/"), min_size=1, max_size=120
).filter(lambda text: text not in (".", ".."))


@given(
    st.lists(_name, min_size=1, max_size=3).map("/".join),
    st.binary(max_size=1200),
    st.integers(0, 0o7777),
    st.integers(0, 2**31),
    st.integers(-(2**33), 2**36),
    st.sampled_from(["auto", "pax", "gnu"]),
)
def test_any_file_reads_back(path: str, data: bytes, mode: int, uid: int, mtime: int, form: str) -> None:
    tar = forge.encode([forge.file(path, data, mode, uid, uid, mtime=mtime, form=form)])
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape", encoding="utf-8") as archive:
        (member,) = archive.getmembers()
        found = archive.extractfile(member)
        assert found is not None and found.read() == data
    assert (member.name, member.mode, member.uid, member.mtime) == (path, mode, uid, mtime)
