from __future__ import annotations

import io
import os
import pickle
import tarfile
from pathlib import Path

import pytest
from store_archives import entry, tar, written

from effort import steps
from imagepeel.archive.dir_members import DirMembers
from imagepeel.archive.members import SubdirectoryMembers, leaves_root, normalise
from imagepeel.archive.source import MemorySource
from imagepeel.archive.tar_members import TarMembers
from imagepeel.errors import LimitExceeded, MissingBlob, NotFound
from imagepeel.limits import DEFAULT, Limits


def members(data: bytes, limits: Limits = DEFAULT) -> TarMembers:
    return TarMembers(MemorySource(data), limits)


def content(of: TarMembers | DirMembers | SubdirectoryMembers, name: str) -> bytes | None:
    member = of.file(name)
    return None if member is None else of.read(member, 1 << 20)


def codes(of: TarMembers | DirMembers) -> list[str]:
    return [anomaly.code for anomaly in of.anomalies]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a/b", "a/b"),
        ("./a//b/", "a/b"),
        ("/a/./b", "a/b"),
        ("../../etc/x", "etc/x"),
        ("a/../../b", "b"),
        (".", ""),
        ("", ""),
        ("sha256:ab", "sha256:ab"),
        ("a.b", "a.b"),
        ("..a/b..", "..a/b.."),
    ],
)
def test_names_are_normalised_inside_the_root(name: str, plain: str) -> None:
    assert normalise(name) == plain


def test_leaving_the_root_is_told_from_moving_inside_it() -> None:
    assert leaves_root("../x")
    assert leaves_root("a/../../x")
    assert not leaves_root("a/../x")
    assert not leaves_root("/a/..b")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_offsets_and_sizes_are_those_that_the_standard_library_finds(form: int) -> None:
    long = "d/" * 40 + "x" * 60
    data = tar({"a": b"1", long: b"22" * 500, "b": b""}, form)
    with tarfile.open(fileobj=io.BytesIO(data)) as oracle:
        expected = [(i.name, i.size, i.offset_data, i.offset) for i in oracle]
    found = members(data)
    assert [(m.name, m.size, m.offset, m.header_offset) for m in found] == expected
    assert content(found, long) == b"22" * 500
    assert found.anomalies == []


def test_names_that_are_not_utf8_survive() -> None:
    data = tar({"x": b"1"}, tarfile.USTAR_FORMAT)
    info = entry("b\udcffd", size=1)
    data = tar([(info, b"1")], tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape")
    (member,) = members(data)
    assert member.raw_name == b"b\xffd"
    assert member.name == "b\udcffd"


def test_of_duplicate_members_the_last_one_counts() -> None:
    found = members(tar([(entry("a", size=1), b"1"), (entry("./a", size=1), b"2")]))
    assert content(found, "a") == b"2"
    assert codes(found) == ["outer-duplicate"]


def test_symlinks_and_hardlinks_are_followed_before_and_after_their_targets() -> None:
    found = members(
        tar(
            [
                (entry("one/layer.tar", tarfile.SYMTYPE, "../two/layer.tar"), b""),
                (entry("abs", tarfile.SYMTYPE, "/two/layer.tar"), b""),
                (entry("two/layer.tar", size=3), b"abc"),
                (entry("hard", tarfile.LNKTYPE, "two/layer.tar"), b""),
                (entry("chain", tarfile.SYMTYPE, "one/layer.tar"), b""),
                (entry("dir", tarfile.SYMTYPE, "two"), b""),
            ]
        )
    )
    for name in ("one/layer.tar", "abs", "hard", "chain", "dir/layer.tar"):
        assert content(found, name) == b"abc", name
    chain = found.file("chain")
    assert chain is not None
    assert chain.via == ("chain", "one/layer.tar")
    assert found.anomalies == []


def test_link_loops_and_links_that_leave_end_in_nothing() -> None:
    found = members(
        tar(
            [
                (entry("a", tarfile.SYMTYPE, "b"), b""),
                (entry("b", tarfile.SYMTYPE, "a"), b""),
                (entry("self", tarfile.LNKTYPE, "self"), b""),
                (entry("out", tarfile.SYMTYPE, "../../etc/passwd"), b""),
                (entry("grow", tarfile.SYMTYPE, "grow/x"), b""),
            ]
        )
    )
    for name in ("a", "self", "out", "grow"):
        assert found.file(name) is None
    assert set(codes(found)) == {"outer-link-loop", "outer-link-outside"}


def test_backslashes_separate_only_where_no_name_has_a_slash() -> None:
    windows = members(tar({"blobs\\sha256\\x": b"1", "index.json": b"{}"}))
    assert content(windows, "blobs/sha256/x") == b"1"
    assert codes(windows) == ["outer-backslash"]
    unix = members(tar({"a\\b": b"1", "c/d": b"2"}))
    assert content(unix, "a\\b") == b"1"
    assert unix.anomalies == []


def test_absolute_and_climbing_names_stay_inside() -> None:
    found = members(tar({"/abs/x": b"1", "../../up": b"2"}))
    assert content(found, "abs/x") == b"1"
    assert content(found, "up") == b"2"
    assert codes(found) == ["outer-dotdot"]


def test_a_lone_zero_block_is_survived_and_said() -> None:
    one, two = tar({"a": b"1"}), tar({"b": b"2"})
    found = members(one[:1024] + bytes(512) + two)
    assert found.names == ("a", "b")
    assert [(a.code, a.where.archive_offset) for a in found.anomalies] == [("outer-zero-block", 1024)]


def test_data_after_the_end_is_said_and_not_read() -> None:
    one = tar({"a": b"1"})[:1024] + bytes(1024)
    found = members(one + tar({"b": b"2"}))
    assert found.names == ("a",)
    assert [(a.code, a.where.archive_offset) for a in found.anomalies] == [("outer-trailing-data", 2048)]


def test_an_archive_without_end_blocks_is_whole() -> None:
    found = members(tar({"a": b"1"})[:1024])
    assert (found.names, found.anomalies, found.complete) == (("a",), [], True)


def test_a_truncated_member_is_listed_and_said() -> None:
    found = members(tar({"a": b"1", "b": b"x" * 2000})[:2000])
    assert found.names == ("a", "b")
    assert [m.truncated for m in found] == [False, True]
    assert not found.complete
    assert [(a.code, a.fatal) for a in found.anomalies] == [("outer-truncated", True)]


def test_a_damaged_header_ends_the_list_with_its_offset() -> None:
    data = bytearray(tar({"a": b"1", "b": b"2", "c": b"3"}))
    data[1024 + 150] ^= 1
    found = members(bytes(data))
    assert found.names == ("a",)
    assert [(a.code, a.where.archive_offset, a.fatal) for a in found.anomalies] == [("outer-bad-header", 1024, True)]


def test_a_header_only_type_with_a_size_has_no_content() -> None:
    info = entry("l", tarfile.SYMTYPE, "a")
    data = bytearray(tar([(info, b""), (entry("a", size=1), b"1")], tarfile.USTAR_FORMAT))
    data[124:135] = b"00000001000"
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    assert content(members(bytes(data)), "l") == b"1"


def test_the_number_of_members_and_their_names_are_bounded() -> None:
    found = members(tar({str(i): b"" for i in range(20)}), Limits(archive_members=5))
    assert len(found.names) == 5
    assert found.over_limit
    assert codes(found) == ["outer-member-limit"]
    long = members(tar({"x" * 2000 + str(i): b"" for i in range(20)}), Limits(archive_members=20))
    assert long.over_limit


def test_a_document_larger_than_its_bound_is_refused() -> None:
    found = members(tar({"a": bytes(100)}))
    member = found.file("a")
    assert member is not None
    with pytest.raises(LimitExceeded):
        found.read(member, 99)


def test_directories_and_links_have_no_content() -> None:
    found = members(tar([(entry("d", tarfile.DIRTYPE), b"")]))
    member = found.get("d")
    assert member is not None
    assert found.file("d") is None
    with pytest.raises(MissingBlob):
        found.source(member)


def test_a_looked_up_name_of_any_length_costs_little() -> None:
    found = members(tar([(entry("a", tarfile.SYMTYPE, "b"), b"")]))
    assert found.get("a/" * 2_000_000) is None


def test_following_links_is_bounded_over_the_whole_archive() -> None:
    chain = [(entry(f"l{i}", tarfile.SYMTYPE, f"l{i + 1}/" + "a/" * 30), b"") for i in range(1000)]
    found = members(tar(chain))

    def look_up() -> None:
        for i in range(5000):
            assert found.get(f"l{i % 900}/" + "b/" * 500) is None

    steps(look_up, limit=10_000_000)
    assert "outer-link-limit" in codes(found)


def test_a_directory_gives_the_same_members_as_its_tar(tmp_path: Path) -> None:
    files = {"index.json": b"{}", "blobs/sha256/x": b"1", "blobs/sha256/y": b"2"}
    of = DirMembers(written(tmp_path, files), DEFAULT)
    assert {m.name for m in of if m.kind == "file"} == set(files)
    assert {name: content(of, name) for name in files} == files
    assert of.top() == ("blobs", "index.json")
    assert content(of, "./blobs//sha256/../sha256/x") == b"1"
    of.close()


def test_links_in_a_directory_are_followed_only_inside_it(tmp_path: Path) -> None:
    root = written(tmp_path / "root", {"blobs/sha256/real": b"1", "config.json": b"2"})
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "blobs/sha256/in").symlink_to("../../config.json")
    (root / "blobs/sha256/absolute").symlink_to(root.resolve() / "config.json")
    (root / "blobs/sha256/out").symlink_to("../../../secret")
    (root / "blobs/sha256/absolute-out").symlink_to(tmp_path / "secret")
    (root / "blobs/sha256/loop").symlink_to("loop")
    (root / "dir").symlink_to("blobs/sha256")
    (root / "parent").symlink_to("..")
    of = DirMembers(root, DEFAULT)
    assert content(of, "blobs/sha256/in") == b"2"
    assert content(of, "blobs/sha256/absolute") == b"2"
    assert content(of, "dir/real") == b"1"
    for name in ("blobs/sha256/out", "blobs/sha256/absolute-out", "blobs/sha256/loop", "parent/secret", "nothing"):
        assert of.get(name) is None, name
    assert set(codes(of)) == {"outer-link-outside", "outer-link-loop"}
    of.close()


def test_pipes_and_nul_names_in_a_directory_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "index.json")
    of = DirMembers(tmp_path, DEFAULT)
    member = of.get("index.json")
    assert member is not None
    assert member.kind == "other"
    assert of.file("index.json") is None
    with pytest.raises(MissingBlob):
        of.source(member)
    assert of.get("a\0b") is None
    of.close()


def test_a_directory_listing_is_bounded(tmp_path: Path) -> None:
    of = DirMembers(written(tmp_path, {str(i): b"" for i in range(20)}), Limits(archive_members=5))
    assert len(of.names) == 5
    assert codes(of) == ["outer-member-limit"]
    of.close()


def test_a_directory_can_be_pickled_and_a_missing_one_is_not_found(tmp_path: Path) -> None:
    of = DirMembers(written(tmp_path, {"a": b"1"}), DEFAULT)
    again = pickle.loads(pickle.dumps(of))
    assert content(again, "a") == b"1"
    again.close()
    of.close()
    with pytest.raises(NotFound):
        DirMembers(tmp_path / "none", DEFAULT)


def test_one_directory_of_an_archive_reads_as_an_archive() -> None:
    base = members(tar({"images/index.json": b"{}", "images/b/x": b"1", "other": b"2"}, links={"images/l": "../other"}))
    inside = SubdirectoryMembers(base, "images")
    assert inside.names == ("index.json", "b/x", "l")
    assert inside.top() == ("index.json", "b", "l")
    assert content(inside, "b/x") == b"1"
    assert content(inside, "l") == b"2"
    assert inside.get("../other") is None
