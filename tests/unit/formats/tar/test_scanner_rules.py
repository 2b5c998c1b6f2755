"""Rules of Go's archive/tar that decide what a runtime sees; archives are made by the forge, byte by byte."""

from __future__ import annotations

import pytest

from imagepeel import forge
from imagepeel.errors import LimitExceeded
from imagepeel.formats.tar.scanner import TarScanner, scan
from imagepeel.limits import Limits

FILE = forge.file("f", b"content")
OTHER = forge.file("g", b"other")


def names(data: bytes) -> list[bytes]:
    return [entry.raw_name for entry in scan(data).table]


def test_two_zero_blocks_end_the_archive_and_what_follows_is_a_hidden_tail() -> None:
    first, second = forge.encode([FILE]), forge.encode([OTHER])
    result = scan(first + second)
    assert [entry.raw_name for entry in result.table] == [b"f"]
    assert result.error is None
    assert result.tail is not None
    assert result.tail.offset == len(first) and result.tail.nonzero == len(first) and result.tail.looks_like_tar
    assert [anomaly.code for anomaly in result.anomalies] == ["HIDDENTAIL"]


def test_trailing_zeros_are_no_hidden_tail() -> None:
    result = scan(forge.encode([FILE], blocking=20))
    assert result.anomalies == [] and result.tail is not None and result.tail.nonzero == -1


def test_one_zero_block_then_a_header_is_an_error_with_its_offset() -> None:
    data = forge.encode([FILE], end_blocks=1) + forge.encode([OTHER])
    result = scan(data)
    assert [entry.raw_name for entry in result.table] == [b"f"]
    assert result.error is not None and result.error.fatal
    assert "archive/tar: invalid tar header" in result.error.message
    assert result.error.where.layer_offset == 1536


@pytest.mark.parametrize("blocks", (0, 1))
def test_a_missing_end_is_no_error(blocks: int) -> None:
    result = scan(forge.encode([FILE], end_blocks=blocks))
    assert result.error is None and len(result.table) == 1


@pytest.mark.parametrize("cut", (1, 100, 511, 513, 518))
def test_a_cut_says_where(cut: int) -> None:
    result = scan(forge.encode([FILE])[:cut])
    assert result.error is not None and result.error.message.startswith("unexpected EOF")


def test_unpadded_last_content_is_accepted_as_go_accepts_it() -> None:
    # 512 bytes of header and 7 of content: umoci 0.4.7 insert really writes such layers.
    result = scan(forge.encode([FILE])[:519])
    assert result.error is None and len(result.table) == 1


def test_a_damaged_header_ends_the_listing_with_its_offset() -> None:
    data = bytearray(forge.encode([FILE, OTHER]))
    data[1024 + 5] ^= 0xFF
    result = scan(bytes(data))
    assert [entry.raw_name for entry in result.table] == [b"f"]
    assert result.error is not None and result.error.where.layer_offset == 1024
    assert "checksum" in result.error.message


def test_every_single_damaged_byte_of_a_header_is_noticed() -> None:
    clean = forge.encode([FILE])
    for at in range(512):
        data = bytearray(clean)
        data[at] ^= 0x01
        result = scan(bytes(data))
        # Padding around the checksum digits is not significant; any other byte changes the sum.
        if not 148 <= at < 156:
            assert result.error is not None, at


def test_stated_size_of_a_link_is_ignored_so_its_bytes_are_read_as_a_header() -> None:
    link = forge.header(name=b"l", typeflag=b"2", linkname=b"f", size=5) + b"bytes".ljust(512, b"\0")
    result = scan(link + forge.encode([OTHER]))
    assert [entry.kind for entry in result.table] == ["symlink"]
    assert result.error is not None and result.error.where.layer_offset == 512


@pytest.mark.parametrize(
    ("name", "typeflag", "kind"),
    ((b"f/", b"0", "file"), (b"f/", b"\0", "dir"), (b"f", b"\0", "file"), (b"f/", b"5", "dir")),
)
def test_trailing_slash_and_the_old_type(name: bytes, typeflag: bytes, kind: str) -> None:
    result = scan(forge.header(name=name, typeflag=typeflag, form="v7") + bytes(1024))
    assert [(entry.raw_name, entry.kind, entry.path) for entry in result.table] == [(name, kind, b"/f")]


@pytest.mark.parametrize(
    ("raw", "clean"),
    (
        (b"./a/b", b"/a/b"),
        (b"/a/b", b"/a/b"),
        (b"a//b", b"/a/b"),
        (b"a/./b", b"/a/b"),
        (b"a/../b", b"/b"),
        (b"../b", b"/b"),
        (b"a/../../b", b"/b"),
        (b"./", b"/"),
        (b".", b"/"),
        (b"/", b"/"),
        (b"..", b"/"),
        (b"", b"/"),
        (b"b", b"/b"),
        (b"/b", b"/b"),
        (b"./b", b"/b"),
        (b"././b", b"/b"),
        (b"//b", b"/b"),
    ),
)
def test_names_keep_their_bytes_and_get_a_clean_path(raw: bytes, clean: bytes) -> None:
    result = scan(forge.header(name=raw) + bytes(1024))
    assert [(entry.raw_name, entry.path) for entry in result.table] == [(raw, clean)]


def test_gnu_long_name_wins_over_a_pax_path() -> None:
    pax = forge.pax_body(((b"path", b"from-pax"),))
    data = (
        forge.header(name=b"././@LongLink", typeflag=b"L", size=9, form="gnu")
        + b"from-gnu\0".ljust(512, b"\0")
        + forge.header(name=b"x", typeflag=b"x", size=len(pax))
        + pax.ljust(512, b"\0")
        + forge.header(name=b"short")
        + bytes(1024)
    )
    result = scan(data)
    assert [entry.raw_name for entry in result.table] == [b"from-gnu"]
    entry = result.table[0]
    assert entry.header_offset == 0 and entry.data_offset == 5 * 512


def test_pax_size_wins_over_the_header() -> None:
    pax = forge.pax_body(((b"size", b"3"),))
    data = forge.header(name=b"x", typeflag=b"x", size=len(pax)) + pax.ljust(512, b"\0")
    data += forge.header(name=b"f", size=1024) + b"abc".ljust(512, b"\0") + forge.encode([OTHER])
    result = scan(data)
    assert [(entry.raw_name, entry.size) for entry in result.table] == [(b"f", 3), (b"g", 5)]


def test_an_empty_pax_path_means_the_header_name() -> None:
    pax = forge.pax_body(((b"path", b""),))
    data = forge.header(name=b"x", typeflag=b"x", size=len(pax)) + pax.ljust(512, b"\0")
    assert names(data + forge.header(name=b"orig") + bytes(1024)) == [b"orig"]


def test_global_headers_change_nothing_that_follows() -> None:
    result = scan(forge.encode([forge.pax_global({b"path": b"renamed", b"uid": b"7"}), FILE]))
    assert [(entry.kind, entry.uid) for entry in result.table][1:] == [("file", 0)]
    assert result.table[1].raw_name == b"f"
    assert "PAXGLOBAL" in [anomaly.code for anomaly in result.anomalies]


@pytest.mark.parametrize(
    "record",
    (b"5 a\n", b"0 a=b\n", b"9999 a=b\n", b"6 a=bc", b" 6 a=b\n", b"x a=b\n", b"4 =\n", b"14 path=a\0b\n\n"),
)
def test_malformed_pax_records_refuse_the_layer(record: bytes) -> None:
    data = forge.header(name=b"x", typeflag=b"x", size=len(record)) + record.ljust(512, b"\0")
    result = scan(data + forge.encode([FILE]))
    assert result.error is not None and len(result.table) == 0
    assert "archive/tar: invalid tar header" in result.error.message


@pytest.mark.parametrize(
    ("value", "expected"),
    (
        (b"1.5", (1, 500_000_000)),
        (b"-1.5", (-2, 500_000_000)),
        (b"1.1234567899", (1, 123_456_789)),
        (b"99999999999", (99_999_999_999, 0)),
        (b"0.000000001", (0, 1)),
    ),
)
def test_times_keep_their_nanoseconds(value: bytes, expected: tuple[int, int]) -> None:
    pax = forge.pax_body(((b"mtime", value),))
    data = forge.header(name=b"x", typeflag=b"x", size=len(pax)) + pax.ljust(512, b"\0") + forge.encode([FILE])
    assert scan(data).table[0].mtime == expected


def test_binary_numbers_and_their_sign() -> None:
    def block(value: int) -> bytes:
        raw = bytearray(forge.header(name=b"f"))
        field = value.to_bytes(12, "big", signed=True)
        raw[136:148] = bytes([field[0] | 0x80]) + field[1:]
        raw[148:156] = b" " * 8
        raw[148:156] = b"%06o\0 " % sum(raw)
        return bytes(raw)

    assert scan(block(1 << 40) + bytes(1024)).table[0].mtime[0] == 1 << 40
    assert scan(block(-5) + bytes(1024)).table[0].mtime[0] == -5
    assert scan(block(1 << 64) + bytes(1024)).error is not None


def test_octal_is_octal_only() -> None:
    for field in (b"1_0", b"0o17", b"+7", b"9", b"0x1"):
        raw = bytearray(forge.header(name=b"f"))
        raw[100:108] = field.ljust(8, b"\0")
        raw[148:156] = b" " * 8
        raw[148:156] = b"%06o\0 " % sum(raw)
        assert scan(bytes(raw) + bytes(1024)).error is not None, field


def test_a_checksum_that_only_agrees_modulo_65521_is_refused() -> None:
    raw = bytearray(forge.header(name=b"\xff" * 100, linkname=b"\xff" * 100))
    raw[157:500] = b"\xff" * 343
    raw[148:156] = b" " * 8
    total = sum(raw)
    assert total > 65521
    raw[148:156] = b"%06o\0 " % (total - 65521)
    assert scan(bytes(raw) + bytes(1024)).error is not None
    raw[148:156] = b"%06o\0 " % total
    assert scan(bytes(raw) + bytes(1024)).error is None


def test_extension_headers_are_capped() -> None:
    body = b"x" * 5000
    data = forge.header(name=b"x", typeflag=b"L", size=len(body)) + body + bytes(-len(body) % 512)
    scanner = TarScanner(Limits(header_bytes=4096))
    scanner.feed(data + forge.encode([FILE]))
    scanner.finish()
    assert scanner.error is not None and "field too long" in scanner.error.message


def test_entries_and_names_are_capped() -> None:
    scanner = TarScanner(Limits(entries=2))
    with pytest.raises(LimitExceeded):
        scanner.feed(forge.encode([FILE, OTHER, FILE]))
    scanner = TarScanner(Limits(name_bytes=2000))
    with pytest.raises(LimitExceeded):
        scanner.feed(forge.encode([forge.file(b"n" * 900, b"", form="pax"), forge.file(b"m" * 900, b"", form="pax")]))


def test_unknown_types_are_listed_with_their_content_skipped() -> None:
    data = forge.header(name=b"d", typeflag=b"D", size=5) + b"dirs\0".ljust(512, b"\0") + forge.encode([FILE])
    result = scan(data)
    assert [(entry.kind, entry.type) for entry in result.table] == [("unknown", b"D"), ("file", b"0")]
    assert result.error is None
