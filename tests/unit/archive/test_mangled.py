"""What was done to an archive on its way: one error with the cause, the offset, the bytes there and what to do."""

from __future__ import annotations

import base64
import gzip
import hashlib
import lzma
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel.archive.opened import open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.errors import ImagepeelError, Malformed, NotAnImage
from imagepeel.forge import image, layer, to_bytes
from imagepeel.forge.entry import file

ARCHIVE = to_bytes(image(layer(file("a", bytes(range(250)) * 9), file("b", "x\n" * 9)), names="demo:1"))
LARGE = to_bytes(image(layer(file("a", hashlib.shake_256(b"a").digest(3 << 20))), names="demo:1"))
"""Its layer is longer than what is looked at."""
GZIP = gzip.compress(ARCHIVE, mtime=0)
XZ = lzma.compress(ARCHIVE)


def powershell(data: bytes, page: str = "cp437") -> bytes:
    """What `>` of Windows PowerShell writes: decoded with the console's code page, lines ended by CR LF, UTF-16."""
    return b"\xff\xfe" + data.decode(page).replace("\n", "\r\n").encode("utf-16-le")


def as_text(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


FORM = b'--x1\r\nContent-Disposition: form-data; name="f"\r\n\r\n'
LOG = b'time="2026-01-01T00:00:00Z" level=warning msg="old"\n'
CASES: dict[str, tuple[bytes, type[ImagepeelError], str, int]] = {
    # name: the file, the error, words of it, the offset
    "powershell": (powershell(ARCHIVE), NotAnImage, "PowerShell's `>`.*ff fe.*like a tar", 0),
    "powershell-850": (powershell(ARCHIVE, "cp850"), NotAnImage, "PowerShell's `>`.*like a tar", 0),
    "powershell-gzip": (powershell(GZIP), NotAnImage, "PowerShell's `>`.*like gzip data", 0),
    "utf-16-big-endian": (b"\xfe\xff" + ARCHIVE.decode("latin-1").encode("utf-16-be"), NotAnImage, "UTF-16", 0),
    "utf-16-without-mark": (ARCHIVE.decode("latin-1").encode("utf-16-le"), NotAnImage, "UTF-16.*like a tar", 0),
    "mark": (b"\xef\xbb\xbf" + ARCHIVE, NotAnImage, r"3 bytes of a byte order mark \(ef bb bf\)", 3),
    "line": (b"Saving demo:1\n" + ARCHIVE, NotAnImage, r"14 bytes of text \(`Saving demo:1`\).* byte 14 ", 14),
    "line-gzip": (b"Saving\n" + GZIP, NotAnImage, "in front of gzip data, which begins at byte 7 with 1f 8b 08", 7),
    "line-xz": (b"Saving\n" + XZ, NotAnImage, "in front of xz data", 7),
    "stderr": (LOG + ARCHIVE, NotAnImage, "messages of a program", len(LOG)),
    "skopeo": (b"Getting image source signatures\n" + ARCHIVE, NotAnImage, "skopeo's progress text", 32),
    "page": (b"<html><body>504</body></html>\n" + ARCHIVE, NotAnImage, "a web page", 30),
    "http": (b"HTTP/1.1 200 OK\r\n\r\n" + ARCHIVE, NotAnImage, "header of an HTTP answer", 19),
    "form": (FORM + ARCHIVE, NotAnImage, "head of a form upload", len(FORM)),
    "zeros": (bytes(512) + ARCHIVE, NotAnImage, "512 bytes of zeros", 512),
    "one-zero": (bytes(1) + ARCHIVE, NotAnImage, "1 byte of zeros", 1),
    "cut-front": (ARCHIVE[3:], Malformed, "lost its first 3 bytes.* byte 254, and belongs at 257", 254),
    "base64": (base64.encodebytes(ARCHIVE), NotAnImage, "base64 text of a tar", 0),
    "base64-one-line": (base64.b64encode(GZIP), NotAnImage, "base64 text of gzip.*`H4sI.*` stands for 1f 8b 08 00", 0),
    "base64-crlf": (as_text(base64.encodebytes(GZIP)), NotAnImage, "base64 text of gzip data", 0),
    "data-url": (b"data:application/x-tar;base64," + base64.b64encode(GZIP), NotAnImage, "at byte 30 ", 30),
    "hexadecimal": (ARCHIVE.hex().encode(), NotAnImage, "hexadecimal text of a tar", 0),
    "crlf": (as_text(ARCHIVE), Malformed, "copied as text: a CR .* 0d 0a", -1),
    "crlf-gzip": (as_text(gzip.compress(LARGE, mtime=0)), Malformed, "copied as text: a CR .* 0d 0a", -1),
    "utf-8": (ARCHIVE.decode("latin-1").encode(), Malformed, "written again as UTF-8: c2 80 ", -1),
    "utf-8-lost": (ARCHIVE.decode("utf-8", "replace").encode(), Malformed, "as UTF-8: ef bf bd ", -1),
    "utf-8-gzip": (GZIP.decode("utf-8", "replace").encode(), NotAnImage, "ef bf bd 08 where gzip .* has 1f 8b 08", 0),
    "crlf-large": (as_text(LARGE), Malformed, "copied as text: a CR .* 0d 0a", -1),
    "utf-8-large": (LARGE.decode("latin-1").encode(), Malformed, "as UTF-8: c[23] ", -1),
    "utf-8-xz": (XZ.decode("latin-1").encode(), NotAnImage, "UTF-8: it starts with c3 bd 37 7a", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_named_with_its_proof(name: str) -> None:
    data, kind, words, offset = CASES[name]
    with pytest.raises(kind) as raised:
        open_archive(MemorySource(data, "sent.tar"))
    error = raised.value
    assert re.search(words, error.what), error.what
    assert error.hint
    at = error.where.archive_offset if error.where else None
    assert at is not None and (at == offset or offset < 0)
    if offset < 0:
        # The offset is that of the bytes which the message quotes.
        assert data[at : at + 2] in (b"\r\n", b"\xc2\x80", b"\xef\xbf") or data[at] in b"\xc2\xc3"


@pytest.mark.parametrize("name", ["mark", "line", "line-gzip", "http", "form", "zeros", "one-zero", "stderr"])
def test_the_advice_gives_the_archive_back(name: str, tmp_path: Path) -> None:
    import subprocess

    sent = tmp_path / "sent.tar"
    sent.write_bytes(CASES[name][0])
    with pytest.raises(NotAnImage) as raised:
        open_archive(str(sent))
    told = re.search(r"tail -c \+(\d+) FILE", raised.value.hint)
    assert told is not None
    cut = subprocess.run(["tail", "-c", f"+{told[1]}", str(sent)], capture_output=True, check=True).stdout
    assert cut in (ARCHIVE, GZIP)


@pytest.mark.parametrize("packed", [False, True])
def test_what_follows_is_named(packed: bool, tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    sent = tmp_path / "sent.tar"
    sent.write_bytes((GZIP if packed else ARCHIVE) + b"Loaded image: demo:1\n")
    with open_archive(str(sent)) as archive:
        notes = [note.message for note in archive.anomalies if note.code == "outer-trailing-data"]
    assert len(notes) == 1
    assert notes[0].startswith("21 bytes after the ")
    assert "text (`Loaded image: demo:1`)" in notes[0]
    told = run_cli("wtf", sent).stdout
    assert "Loaded image" in told and "keep other output out of the file" in told


@pytest.mark.parametrize(
    "data",
    [
        b"a line of text\n" * 200,
        "text of an editor\r\n".encode("utf-16") * 100,
        base64.encodebytes(b"no archive at all" * 100),
        b"an ustar in a text, which is no header" * 50,
        bytes(range(256)) * 300,
    ],
)
def test_nothing_is_claimed_that_the_bytes_do_not_show(data: bytes) -> None:
    with pytest.raises(NotAnImage) as raised:
        open_archive(MemorySource(data, "sent.tar"))
    assert "in front of" not in raised.value.what
    assert "base64" not in raised.value.what
    assert "like a" not in raised.value.what


def test_a_damaged_archive_is_still_read_as_far_as_it_goes() -> None:
    """Only what proves itself ends the reading: a cut archive and a flipped header are told as before."""
    broken = bytearray(ARCHIVE)
    second = ARCHIVE.index(b"ustar", 600) - 257
    broken[second] ^= 0xFF
    assert open_archive(MemorySource(bytes(broken), "sent.tar")).anomalies
    assert open_archive(MemorySource(ARCHIVE[: len(ARCHIVE) // 2], "sent.tar")).anomalies
