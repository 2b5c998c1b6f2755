"""What was done to an archive on its way: text in front of it, bytes turned into text, a front that is cut off.

Each is one cause with its proof, an offset and the bytes there, and with what to do.  A shell or an editor did it, not
the program that wrote the archive, so that "save the image again" alone would end in the same file.
"""

from __future__ import annotations

import binascii
import re

from imagepeel._lazy import late
from imagepeel.archive.compression import GZIP_MAGIC, XZ_MAGIC, ZSTD_MAGIC, Compression, sniff_compression
from imagepeel.archive.source import Source
from imagepeel.errors import ImagepeelError, Malformed, NotAnImage
from imagepeel.evidence import Location, text
from imagepeel.formats.tar.header import BLOCK, TarError, parse_header
from imagepeel.text import plural

_MAGIC = 257
"""Where `ustar` stands in a header (POSIX.1, pax, ustar Interchange Format)."""
_LOOK = 4096
"""Bytes of what does not belong there that are read to say what it is."""
_SAMPLE = 1 << 20
"""Bytes that are looked at for line ends and shifted headers."""
_CODE_PAGES = ("latin-1", "cp437", "cp850", "cp1252", "utf-8")
"""What consoles decode the output of a program with."""
_MAGICS = {"gzip": GZIP_MAGIC + b"\x08", "zstd": ZSTD_MAGIC, "xz": XZ_MAGIC}
_MANY = 64
"""Line ends, or characters of two bytes, that do not all come by chance."""
_AGAIN = "write the archive to a file itself: docker save -o FILE IMAGE"
_STARTS = late(rb"ustar[\0 ]|\x1f\x8b\x08|\x28\xb5\x2f\xfd|\xfd7zXZ\0|BZh[1-9]1AY&SY")
_BASE64 = late(rb"[A-Za-z0-9+/\r\n]+={0,2}\s*")
_HEX = late(rb"[0-9A-Fa-f\r\n]+")
_PRINTED = late(rb"[\t\r\n\x1b\x20-\x7e\x80-\xff]*")
_CONVERTED = late(rb"\xef\xbf\xbd|[\xc2\xc3][\x80-\xbf]")

_FRONTS: tuple[tuple[str, str, str], ...] = (
    (r"HTTP/[0-9.]+ [0-9]", "the header of an HTTP answer", "download it without -i or --include"),
    (r"-{2,}\S+\r?\n(?i:content-)", "the head of a form upload", "upload it as the body: curl --data-binary @FILE"),
    (r"(?:time=|level=|\{\"(?:level|time)\"|WARN|ERR|[Ww]arning|[Ee]rror)", "messages of a program",
     "both outputs went into the file: leave out 2>&1, or name the file with -o"),
    (r"(?:Getting image source|Copying (?:blob|config)|Writing manifest)", "skopeo's progress text",
     "run skopeo copy with --quiet"),
    (r"\s*<(?i:!doctype\s+html|html|\?xml)", "a web page", "the server put a page in front: download it again"),
)  # fmt: skip
"""How a text in front begins, what it is, and how to keep it out."""


def _shown(data: bytes, most: int = 8) -> str:
    return " ".join(f"{byte:02x}" for byte in data[:most])


def begins(data: bytes) -> str:
    """Return what begins at these bytes: `gzip data`, `a tar`, or "" for neither."""
    kind = sniff_compression(data[:16])
    if kind is not Compression.NONE:
        return f"{kind.value} data"
    if len(data) >= BLOCK and data[:BLOCK].strip(b"\0"):
        try:
            parse_header(data[:BLOCK])
        except TarError:
            return ""
        return "a tar"
    return ""


def mangled(name: str, head: bytes) -> ImagepeelError | None:
    """Return what happened to a file whose first bytes are no archive and hold one; None where they show nothing."""
    for look in (_utf16, _utf8, _encoded, _cut_front, _front, _messages):
        happened = look(name, head)
        if happened is not None:
            return happened
    return None


def _utf16(name: str, head: bytes) -> ImagepeelError | None:
    mark = head[:2]
    codec = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(mark, "")
    at = 2 if codec else 0
    if not codec:
        pairs = min(len(head) // 2, BLOCK)
        zeros = [head[side : pairs * 2 : 2].count(0) for side in (0, 1)]
        if pairs < 16 or max(zeros) < pairs * 0.9:
            return None
        codec = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    words = head[at : len(head) - (len(head) - at) % 2].decode(codec, "replace")
    inside = next(filter(None, (begins(words.encode(page, "replace")) for page in _CODE_PAGES)), "")
    if not inside and not at:
        return None
    proof = f"it starts with {_shown(head)}: " + ("ff fe is the mark of UTF-16, " if mark == b"\xff\xfe" else "")
    proof += f"every character has two bytes{', and read so it begins like ' + inside if inside else ''}"
    return NotAnImage(
        f"{name} is text in UTF-16, as PowerShell's `>` writes what a program puts out; {proof}",
        Location(archive_offset=0),
        f"bytes were lost on the way, so it cannot be turned back; {_AGAIN}, or use cmd.exe",
    )


def _utf8(name: str, head: bytes) -> ImagepeelError | None:
    for kind, magic in _MAGICS.items():
        words = {magic.decode(page, "replace").encode() for page in _CODE_PAGES} - {magic}
        start = next((each for each in words if head.startswith(each)), b"")
        if start:
            return NotAnImage(
                f"{name} was read as text and written again as UTF-8: it starts with {start.hex(' ')} where {kind} "
                f"data has {magic.hex(' ')}",
                Location(archive_offset=0),
                f"bytes were lost on the way, so it cannot be turned back; {_AGAIN}, or copy it again as bytes",
            )
    return None


def _encoded(name: str, head: bytes) -> ImagepeelError | None:
    start = head[: 8 * BLOCK]
    body = start.partition(b";base64,")[2] if start.startswith(b"data:") else start
    skipped = len(start) - len(body)
    plain = b""
    how, program = "base64", "base64 -d"
    if _HEX.fullmatch(body):
        digits = b"".join(body.split())
        plain, how, program = bytes.fromhex(digits[: len(digits) // 2 * 2].decode()), "hexadecimal", "xxd -r -p"
    elif (found := _BASE64.match(body)) is not None and found.end() >= min(len(body), BLOCK):
        letters = b"".join(found[0].split()).rstrip(b"=")
        try:
            plain = binascii.a2b_base64(letters[: len(letters) // 4 * 4])
        except binascii.Error:
            return None
    inside = begins(plain)
    if not inside:
        return None
    take = f"tail -c +{skipped + 1} FILE | {program}" if skipped else f"{program} FILE"
    return NotAnImage(
        f"{name} is {how} text of {inside}; at byte {skipped} `{text(body[:8])}` stands for {_shown(plain, 4)}",
        Location(archive_offset=skipped),
        f"decode it: {take} > image.tar",
    )


def _front(name: str, head: bytes) -> ImagepeelError | None:
    for found in _STARTS.finditer(head):
        at = found.start() - (_MAGIC if found[0].startswith(b"ustar") else 0)
        inside = begins(head[at:]) if at > 0 else ""
        if not inside:
            continue
        what, keep = what_it_is(head[:at])
        return NotAnImage(
            f"{name} has {plural(at, 'byte')} of {what} in front of {inside}, which begins at byte {at:,} "
            f"with {_shown(head[at:], 4)}",
            Location(archive_offset=at),
            f"cut them off: tail -c +{at + 1} FILE > image.tar" + (f"; {keep}" if keep else ""),
        )
    return None


def _messages(name: str, head: bytes) -> ImagepeelError | None:
    what, keep = what_it_is(head)
    if not keep or what.startswith(("text ", "a web page")):
        return None
    return NotAnImage(f"{name} is {what}, and no archive follows", Location(archive_offset=0), keep)


def what_it_is(front: bytes) -> tuple[str, str]:
    """Return what stands in front of an archive or behind it, in words, and how to keep it out the next time."""
    if front == b"\xef\xbb\xbf":
        return "a byte order mark (ef bb bf)", "an editor or PowerShell put it there, and may have changed more"
    if not front.strip(b"\0"):
        return "zeros", ""
    words = text(front[:_LOOK].removeprefix(b"\xef\xbb\xbf"))
    line = words.strip().partition("\n")[0].strip()
    line = line if len(line) <= 60 else line[:57] + "..."
    for pattern, what, keep in _FRONTS:
        if re.match(pattern, words):
            return f"{what} (`{line}`)", keep
    if _PRINTED.fullmatch(front[:_LOOK]):
        return f"text (`{line}`)", "something that wrote to the same output put it there"
    return f"other bytes ({_shown(front)})", ""


def _cut_front(name: str, head: bytes) -> ImagepeelError | None:
    at = head.find(b"ustar", 0, _MAGIC + 4)
    if at < 0 or not any(begins(head[place:]) for place in range(BLOCK - (_MAGIC - at), len(head), BLOCK)):
        return None
    return Malformed(
        f"{name} has lost its first {plural(_MAGIC - at, 'byte')}: the mark `ustar` of its first header stands at "
        f"byte {at}, and belongs at {_MAGIC}",
        Location(archive_offset=at),
        "copy the file again from its start",
    )


def converted(source: Source, since: int = 0, stop: int | None = None) -> ImagepeelError | None:
    """Return what a program did to a damaged archive that took it for text; None where the bytes show nothing.

    Arguments: `since` is the offset of the last header that could be read, `stop` the one where the next should be;
    for a compressed file `stop` is None, and the line ends alone speak.
    """
    data = source.pread(since, _SAMPLE)
    ends, pairs = data.count(b"\n"), data.count(b"\r\n")
    if stop is None:
        return _line_ends(source.name, since, data, pairs) if ends >= 2 and ends == pairs else None
    if stop - since > _SAMPLE:
        # The next header is too far away to count up to it.  So much of a layer without a bare line feed, or without a
        # byte that is no UTF-8, is no chance.
        if ends >= _MANY and ends == pairs:
            return _line_ends(source.name, since, data, pairs)
        inside = data[BLOCK:-4]
        return _as_utf8(source.name, since + BLOCK, inside, "") if _is_converted(inside) else None
    for found in re.finditer(rb"ustar[\0 ]", data):
        behind = since + found.start() - _MAGIC
        if behind > stop and begins(data[behind - since : behind - since + BLOCK]):
            happened = _shifted(source.name, since, data[: behind - since], behind - stop)
            if happened is not None:
                return happened
    return None


def _shifted(name: str, since: int, between: bytes, shift: int) -> ImagepeelError | None:
    """What added `shift` bytes to those `between` two headers, where that is their exact number."""
    if between.count(b"\r\n") == shift == between.count(b"\n"):
        return _line_ends(name, since, between, shift)
    if sum(len(each) - 1 for each in _CONVERTED.findall(between)) != shift:
        return None
    where = f", and the next header stands {plural(shift, 'byte')} behind its place, at {since + len(between):,}"
    return _as_utf8(name, since, between, where)


def _is_converted(data: bytes) -> bool:
    """Whether what should be binary is UTF-8 with many characters that stand for one byte each."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 4:
            return False
    return len(_CONVERTED.findall(data)) >= _MANY


def _as_utf8(name: str, since: int, data: bytes, where: str) -> ImagepeelError | None:
    first = _CONVERTED.search(data)
    if first is None:
        return None
    at = since + first.start()
    return Malformed(
        f"{name} was read as text and written again as UTF-8: {first[0].hex(' ')} at byte {at:,} stands where one byte "
        f"was{where}",
        Location(archive_offset=at),
        "copy it again as bytes: bytes that are no text were lost, so it cannot be turned back",
    )


def _line_ends(name: str, since: int, data: bytes, pairs: int) -> ImagepeelError:
    at = since + data.find(b"\r\n")
    return Malformed(
        f"{name} was copied as text: a CR was put in front of every line feed ({plural(pairs, 'time')} in the bytes "
        f"that were looked at), the first at byte {at:,}: 0d 0a",
        Location(archive_offset=at),
        "copy it again as bytes: FTP in binary mode, git with `*.tar binary` in .gitattributes",
    )
