"""Laws of the tar scanner: forge then scan is identity, pieces do not matter, no bytes crash it."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from imagepeel import forge
from imagepeel.errors import ImagepeelError
from imagepeel.formats.tar.header import TarError
from imagepeel.formats.tar.pax import only_mtime, parse_pax, timestamp
from imagepeel.formats.tar.scanner import TarScanner, scan
from imagepeel.limits import Limits

names = st.binary(min_size=1, max_size=300).filter(lambda n: b"\0" not in n and not n.endswith(b"/") and n.strip(b"/"))
times = st.tuples(st.integers(-(10**10), 10**11), st.integers(0, 999_999_999))
ids = st.integers(0, 1 << 40)


@st.composite
def entries(draw: st.DrawFn) -> forge.Entry:
    name, uid, gid, mtime = draw(names), draw(ids), draw(ids), draw(times)
    kind = draw(st.sampled_from(("file", "directory", "symlink", "hardlink")))
    if kind == "file":
        xattrs = draw(st.dictionaries(st.sampled_from((b"user.a", b"security.capability")), st.binary(max_size=40)))
        return forge.file(
            name, draw(st.binary(max_size=1500)), draw(st.integers(0, 0o7777)), uid, gid, mtime=mtime, xattrs=xattrs
        )
    if kind == "directory":
        return forge.directory(name, draw(st.integers(0, 0o7777)), uid, gid, mtime=mtime)
    make = forge.symlink if kind == "symlink" else forge.hardlink
    return make(name, draw(names))


@settings(max_examples=150, deadline=None)
@given(st.lists(entries(), max_size=8), st.integers(1, 2000))
def test_forge_then_scan_is_identity(specs: list[forge.Entry], step: int) -> None:
    data = forge.encode(specs)
    scanner = TarScanner()
    for at in range(0, len(data), step):
        scanner.feed(data[at : at + step])
    scanner.finish()
    assert scanner.error is None
    assert len(scanner.table) == len(specs)
    for entry, spec in zip(scanner.table, specs, strict=True):
        assert entry.raw_name.rstrip(b"/") == spec.path.rstrip(b"/")
        assert (entry.uid, entry.gid, entry.mode) == (spec.uid, spec.gid, spec.mode)
        assert entry.kind == {"file": "file", "directory": "dir", "dir": "dir"}.get(spec.kind, spec.kind)
        if spec.kind == "file":
            assert data[entry.data_offset : entry.data_offset + entry.size] == spec.data
            assert entry.mtime == (spec.mtime if isinstance(spec.mtime, tuple) else (spec.mtime, 0))
            assert entry.xattrs == dict(spec.xattrs)
        elif entry.kind in ("symlink", "hardlink"):
            assert entry.link == spec.target


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=4096))
def test_no_bytes_crash_the_scanner(data: bytes) -> None:
    scan(data, Limits(entries=1000))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(entries(), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
    st.integers(0, 1 << 16),
)
def test_damage_is_an_error_or_another_reading_but_never_a_crash(
    specs: list[forge.Entry], damage: list[tuple[int, bytes]], cut: int
) -> None:
    data = bytearray(forge.encode(specs))
    for at, patch in damage:
        at %= len(data)
        data[at : at + len(patch)] = patch
    stream = bytes(data[: cut % (len(data) + 1) or len(data)])
    try:
        result = scan(stream, Limits(entries=1000))
    except ImagepeelError:
        return
    for entry in result.table:
        assert entry.header_offset < len(stream)
        assert entry.path.startswith(b"/") and b".." not in entry.path.split(b"/")


@given(st.binary(max_size=200))
def test_pax_bodies_parse_or_raise_tar_error(body: bytes) -> None:
    try:
        records = parse_pax(body)
    except TarError:
        return
    # What parsed can be written again and reads the same.
    assert parse_pax(forge.pax_body(tuple(records.items()))) == records


PIECES = [
    b"mtime=",
    b"mtime",
    b"=",
    b".",
    b"0",
    b"17",
    b"999999999",
    b"\n",
    b" ",
    b"-",
    b"+",
    b"atime=",
    b"30 ",
    b"\xd9\xa1",
]


@given(st.lists(st.sampled_from(PIECES), max_size=9).map(b"".join), st.integers(-1, 1) | st.none())
@example(b"1.000000001", None)
@example(b"999999999999999999.999999999", None)
@example(b"1.0000000001", None)
def test_one_time_of_change_is_read_as_all_records_are(text: bytes, wrong: int | None) -> None:
    body = forge.pax_body(((b"mtime", text),)) if wrong is None else b"%d mtime=%b\n" % (len(text) + 10 + wrong, text)
    found = only_mtime(body)
    if found is not None:
        assert parse_pax(body) == {b"mtime": text}
        assert timestamp(text, "a time") == found
    elif wrong in (None, 0) and 0 < len(text) < 18 and text.isdigit():
        raise AssertionError(f"a whole number of seconds was not read: {body!r}")
