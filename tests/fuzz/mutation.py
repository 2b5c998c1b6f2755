"""How inputs are changed: each form of bytes where its parser looks, and what guards it is made right again."""

from __future__ import annotations

import bz2
import copy
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import zstandard

Mutator = Callable[[bytes, Random, Sequence[bytes]], bytes]
"""Changes one input; the last argument are words that its format knows."""

MOST = 16 * 1024
"""Bytes of the longest input: what costs more than its length shows before that."""
_EDGES = (0, 1, 2, 7, 8, 127, 128, 255, 256, 511, 512, 4095, 4096, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
_LETTERS = b"\0\t\n\r\x1b !\"#$%&'()*+,-./0189:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\xa0\xc3\xa9\xe2\x80\xa8\xed\xa0\x80\xff"


def _somewhere(data: bytearray | bytes, random: Random) -> int:
    """A place in the data; every second time near its beginning, where headers are."""
    size = len(data)
    return random.randrange(min(size, 256) if random.random() < 0.5 else size) if size else 0


def octets(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Change some bytes, whatever they are."""
    out = bytearray(data)
    for _ in range(1 << random.randrange(5)):
        at, kind = _somewhere(out, random), random.randrange(11)
        end = min(len(out), at + (1 << random.randrange(8)))
        if kind == 0 and out:
            out[at] ^= 1 << random.randrange(8)
        elif kind == 1 and out:
            out[at] = random.choice(_LETTERS)
        elif kind == 2:
            out[at:at] = bytes(random.choices(_LETTERS, k=1 << random.randrange(6)))
        elif kind == 3:
            del out[at:end]
        elif kind == 4:
            out[at:at] = out[at:end]
        elif kind == 5:
            to = _somewhere(out, random)
            out[to:to] = out[at:end]
        elif kind == 6 and words:
            word = random.choice(words)
            out[at : at + len(word)] = word
        elif kind == 7 and words:
            out[at:at] = random.choice(words)
        elif kind == 8:
            _edge(out, at, random)
        elif kind == 9:
            out[at:at] = out[at:end] * random.choice((2, 9, 60, 400))
        elif kind == 10 and words:
            out[at:end] = b"".join(random.choices(words, k=random.randrange(1, 6)))
    return bytes(out[:MOST])


def _edge(out: bytearray, at: int, random: Random) -> None:
    """Put a number at an edge of its range, or near the length of the data, where numbers stand."""
    width, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
    value = random.choice(_EDGES) if random.random() < 0.6 else max(0, len(out) + random.randrange(-16, 17))
    at -= at % width
    out[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, order)  # type: ignore[arg-type]


def numbers(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Change numbers of fixed width: headers, tables, offsets."""
    out = bytearray(data)
    for _ in range(random.randrange(1, 6)):
        _edge(out, _somewhere(out, random), random)
    return octets(bytes(out), random, words) if random.random() < 0.3 else bytes(out)


def lines(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Change the order, the words and the ends of lines."""
    rows = data.split(b"\n")
    for _ in range(random.randrange(1, 6)):
        at, other = random.randrange(len(rows)), random.randrange(len(rows))
        kind = random.randrange(8)
        if kind == 0:
            rows[at], rows[other] = rows[other], rows[at]
        elif kind == 1:
            rows.insert(at, rows[other])
        elif kind == 2 and len(rows) > 1:
            del rows[at]
        elif kind == 3:
            rows[at] += random.choice((b"\\", b"\r", b" ", b"#", b"\0", b'"', b"'", b";"))
        elif kind == 4 and words:
            parts = rows[at].split(b" ")
            parts.insert(random.randrange(len(parts) + 1), random.choice(words))
            rows[at] = b" ".join(parts)
        elif kind == 5 and words:
            parts = rows[at].split(b" ")
            parts[random.randrange(len(parts))] = random.choice(words)
            rows[at] = b" ".join(parts)
        elif kind == 6:
            rows[at] *= random.choice((2, 3, 50, 1000))
        elif kind == 7:
            rows[at : at + 1] = [rows[at]] * random.choice((2, 3, 50, 1000))
        if sum(map(len, rows)) > MOST:
            break
    out = b"\n".join(rows)[:MOST]
    return octets(out, random, words) if random.random() < 0.4 else out


_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    1e308,
    2**31,
    2**63,
    10**39,
    "",
    "x",
    "\ud800",
    "\0",
    "\x1b[31m",
    "\u202e",
    "a" * 3000,
    "/",
    "../..",
    "/proc/self/fd/7",
    "sha256:" + "0" * 64,
    "sha256:",
    "sha512:00",
    "$PATH",
    "A=",
    "=",
    "{}",
    [],
    {},
    [[]],
    [None],
    ["", ""],
    {"": ""},
    ["x"] * 300,
    {"a": {"b": {"c": []}}},
    "1000:1000",
    "99999999999",
    "linux",
    "2024-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-99-99T99:99:99Z",
    "localhost:5000/a/b:tag@sha256:0",
)


def document(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Change values and keys of a JSON text, which stays one; or the text itself."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return octets(data, random, words)
    if random.random() < 0.2:
        return octets(data, random, words)
    holder = [value]
    for _ in range(random.randrange(1, 5)):
        places: list[tuple[Any, Any]] = []
        _places(holder, places)
        if len(places) > MOST // 8:
            break
        container, key = random.choice(places)
        kind = random.randrange(6)
        if kind == 0 and words:
            container[key] = random.choice(words).decode("utf-8", "replace")
        elif kind == 1 and isinstance(container, dict):
            container[random.choice((key.upper(), key.title(), key + "\0", "", "data"))] = container[key]
        elif kind == 2 and container is not holder:
            del container[key]
        elif kind == 3 and isinstance(container, list) and container is not holder:
            container[key:key] = [copy.deepcopy(container[key]) for _ in range(random.choice((1, 2, 60)))]
        elif kind == 4:
            for _ in range(random.choice((1, 1, 1, 70))):
                container[key] = [container[key]]
        else:
            container[key] = copy.deepcopy(random.choice(_VALUES))
    text = json.dumps(holder[0])
    if random.random() < 0.1:
        text = text.replace("{", '{"' + random.choice(("a", "Config", "os")) + '":1,', 1)
    return text.encode("utf-8", "replace")[:MOST]


def _places(value: Any, out: list[tuple[Any, Any]], depth: int = 0) -> None:
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        out.append((value, key))
        if depth < 12:
            _places(value[key], out, depth + 1)


_FIELDS = (
    (0, 100),
    (100, 8),
    (108, 8),
    (116, 8),
    (124, 12),
    (136, 12),
    (156, 1),
    (157, 100),
    (257, 8),
    (345, 155),
    (329, 8),
    (337, 8),
)
_FIELD_VALUES = (
    b"",
    b"\0",
    b"0",
    b"7777777",
    b"77777777777\0",
    b"-1",
    b"\x80\0\0\0\0\0\0\xff",
    b"\xff" * 12,
    b"\x80" + b"\x7f" * 11,
    b"00000000000\0",
    b"00000000010 ",
    b" 12",
    b"9",
    b"../x",
    b"/abs",
    b"a/../../b",
    b".",
    b"./",
    b"a//b",
    b".wh.x",
    b".wh..wh..opq",
    b".wh.",
    b"a/.wh..wh.plnk",
    b"x" * 100,
    b"\xff\xfe",
    b"a\nb",
    b"ustar\x0000",
    b"ustar  \0",
    b"GNU",
)
_TYPES = b"\0001234567xgLKSDMNVAZ\xff"
_RECORDS = (
    b"path=a/b",
    b"path=",
    b"linkpath=../x",
    b"size=3",
    b"size=-1",
    b"size=99999999999999999999",
    b"mtime=1.5",
    b"mtime=nan",
    b"mtime=-1.999999999999",
    b"uid=-1",
    b"gid=4294967296",
    b"SCHILY.xattr.user.a=b",
    b"a",
    b"=b",
    b"SCHILY.xattr.security.capability=\1\0\0\2",
    b"SCHILY.xattr.trusted.overlay.opaque=y",
    b"GNU.sparse.major=1",
    b"GNU.sparse.minor=0",
    b"GNU.sparse.map=0,1,5,1",
    b"GNU.sparse.name=x",
    b"GNU.sparse.realsize=900",
    b"GNU.sparse.numblocks=2",
    b"GNU.sparse.size=5",
    b"GNU.sparse.offset=1",
    b"hdrcharset=BINARY",
    b"path=\0",
    b"x=\n",
)


def _repaired(head: bytearray) -> bytes:
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def _size(head: bytes) -> int:
    try:
        return max(0, int(head[124:136].strip(b" \0") or b"0", 8))
    except ValueError:
        return 0


def blocks(data: bytes) -> list[list[bytes]]:
    """The headers of a tar, each with what follows it up to the next."""
    out, at = [], 0
    while at + 512 <= len(data) and any(data[at : at + 512]):
        end = at + 512 + -(-_size(data[at : at + 512]) // 512) * 512
        out.append([data[at : at + 512], data[at + 512 : end]])
        at = end
    out.append([data[at:], b""])
    return out


def tarball(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Change headers and their order, with right checksums; records of PAX; now and then any byte."""
    parts = blocks(data)
    for _ in range(random.randrange(1, 6)):
        at, kind = random.randrange(len(parts)), random.randrange(8)
        head, body = bytearray(parts[at][0]), parts[at][1]
        if kind == 0 and len(parts) > 1:
            del parts[at]
        elif kind == 1:
            parts.insert(random.randrange(len(parts)), parts[at])
        elif kind == 2:
            parts[at][1] = octets(body, random, words)
            if random.random() < 0.8:
                parts[at][1] += bytes(-len(parts[at][1]) % 512)
                if len(head) == 512:
                    head[124:136] = b"%011o\0" % len(parts[at][1])
                    parts[at][0] = _repaired(head)
        elif kind == 3:
            parts.insert(at, _extension(random, words))
        elif len(head) == 512:
            place, width = random.choice(_FIELDS)
            if place == 156:
                head[156] = random.choice(_TYPES)
            else:
                value = random.choice(words) if words and random.random() < 0.3 else random.choice(_FIELD_VALUES)
                head[place : place + width] = value[:width].ljust(width, b"\0")
            parts[at][0] = _repaired(head) if random.random() < 0.95 else bytes(head)
    out = b"".join(head + body for head, body in parts)[: 4 * MOST]
    return octets(out, random, words) if random.random() < 0.1 else out


def _extension(random: Random, words: Sequence[bytes]) -> list[bytes]:
    """A PAX header of records, or a long name of GNU's, in front of another header."""
    kind = random.choice(b"xgLKSx")
    body = b""
    if kind in b"xg":
        for record in random.choices(_RECORDS, k=random.randrange(1, 5)):
            size = len(record) + 3
            size += len(b"%d" % size) - 1
            body += b"%d %s\n" % (size if random.random() < 0.95 else random.choice(_EDGES), record)
    else:
        body = b"".join(random.choices((*words, b"/", b"name", b"\0"), k=random.randrange(1, 60)))
    head = bytearray(512)
    head[0:4], head[100:107], head[124:136] = b"./@x", b"0000644", b"%011o\0" % len(body)
    head[156], head[257:265] = kind, b"ustar\x0000"
    return [_repaired(head), body + bytes(-len(body) % 512)]


def packed(kind: str, inner: Mutator) -> Mutator:
    """Change what is inside of a compressed stream and pack it again; or the stream, with its checksum made right."""

    def mutate(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
        if random.random() < 0.4:
            try:
                content = _unpack(kind, data)
            except (OSError, EOFError, ValueError, lzma.LZMAError, zstandard.ZstdError, zlib.error):
                content = None
            if content is not None:
                new = inner(content, random, words)
                cut = random.randrange(len(new) + 1) if random.random() < 0.3 else len(new)
                return b"".join(_pack(kind, piece) for piece in (new[:cut], new[cut:]) if piece)[: 4 * MOST]
        return octets(data, random, words)

    return mutate


def _unpack(kind: str, data: bytes) -> bytes:
    if kind == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(1 << 20)
    unpacker = {"gzip": zlib.decompressobj(31), "bzip2": bz2.BZ2Decompressor(), "xz": lzma.LZMADecompressor()}[kind]
    return unpacker.decompress(data, 1 << 20)


def _pack(kind: str, data: bytes) -> bytes:
    if kind == "zstd":
        return zstandard.ZstdCompressor(1, write_checksum=True).compress(data)
    return {
        "gzip": lambda: gzip.compress(data, 1),
        "bzip2": lambda: bz2.compress(data, 1),
        "xz": lambda: lzma.compress(data, preset=0),
    }[kind]()
