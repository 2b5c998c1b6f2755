"""What a file is when it is no tar: a named format and what to do about it, from its first bytes."""

from __future__ import annotations

import re
from typing import NoReturn

from imagepeel._lazy import late
from imagepeel.archive.source import Source
from imagepeel.errors import ImagepeelError, Malformed, NotAnImage, Unsupported
from imagepeel.evidence import Location
from imagepeel.formats.tar.header import BLOCK, TarError, parse_header
from imagepeel.text import plural

HEAD = 40 * 1024
"""Bytes to look at: the ISO 9660 signature lies at 32,769."""

_Format = tuple[int, bytes, type[ImagepeelError], str, str]
_FORMATS: tuple[_Format, ...] = (
    (0, b"version https://git-lfs", NotAnImage, "a Git LFS pointer, not the file itself", "run `git lfs pull` first"),
    (
        32,
        b"SIF_MAGIC",
        Unsupported,
        "a Singularity image (SIF)",
        "convert it: apptainer sif dump, or save the OCI image",
    ),
    (0, b"hsqs", Unsupported, "a squashfs file system", "unpack it with unsquashfs, then tar the result"),
    (1024, b"\xe2\xe1\xf5\xe0", Unsupported, "an EROFS file system", "mount it, then tar the result"),
    (0, b"PK\x03\x04", NotAnImage, "a zip file", "unzip it; the image archive may be inside"),
    (0, b"PK\x05\x06", NotAnImage, "an empty zip file", "save the image again"),
    (
        0,
        b"!<arch>\n",
        NotAnImage,
        "an ar archive, such as a Debian package",
        "a .deb is no image; use ar x to look inside",
    ),
    (0, b"\x7fELF", NotAnImage, "an ELF executable", "give the archive of the image that runs it"),
    (0, b"7z\xbc\xaf\x27\x1c", NotAnImage, "a 7z archive", "unpack it with 7z x"),
    (0, b"\x04\x22\x4d\x18", Unsupported, "lz4-compressed", "decompress it with lz4 -d"),
    (0, b"LZIP", Unsupported, "lzip-compressed", "decompress it with lzip -d"),
    (0, b"\x89LZO", Unsupported, "lzop-compressed", "decompress it with lzop -d"),
    (0, b"\x5d\x00\x00", Unsupported, "lzma-compressed", "decompress it with unlzma"),
    (0, b"QFI\xfb", NotAnImage, "a qcow2 disk of a virtual machine", "imagepeel reads container images"),
    (32769, b"CD001", NotAnImage, "an ISO 9660 disc", "imagepeel reads container images"),
    (0, b"070701", NotAnImage, "a cpio archive", "imagepeel reads container images"),
    (0, b"\xed\xab\xee\xdb", NotAnImage, "an RPM package", "imagepeel reads container images"),
    (0, b"-----BEGIN PGP", NotAnImage, "a PGP message", "decrypt or verify it with gpg"),
)
_HTML = late(rb"\s*<(?:!doctype\s+html|html|\?xml)", re.IGNORECASE)
_LINK_TEXT = late(rb"(?:\.{0,2}/)?[\w.@+-]+(?:/[\w.@+-]+)+\s*")
_DOCUMENT = late(rb'"(?:schemaVersion|mediaType|rootfs|imageLayoutVersion|Config|RepoTags|Layers)"')


def is_tar(head: bytes) -> bool:
    """Say whether the first block is a tar header with a right checksum, or the file is a tar without members."""
    block = head[:BLOCK]
    if len(block) < BLOCK:
        return False
    if not block.strip(b"\0"):
        return not head.strip(b"\0")
    try:
        parse_header(block)
    except TarError:
        return False
    return True


def is_link_text(data: bytes) -> bool:
    """Say whether a file holds nothing but a relative path, as a symbolic link does that became a file."""
    return len(data) < 4096 and _LINK_TEXT.fullmatch(data) is not None


def refuse(source: Source, head: bytes) -> NoReturn:
    """Raise the error that names what a file is instead of an image, and what to do about it."""
    name = source.name
    if source.size == 0:
        raise NotAnImage(f"{name} is empty", hint="the download or save did not finish; write the archive again")
    for offset, magic, error, what, hint in _FORMATS:
        if head[offset : offset + len(magic)] == magic:
            raise error(f"{name} is {what}", Location(archive_offset=offset), hint)
    if len(head) >= BLOCK and head[257:262] == b"ustar":
        raise Malformed(
            f"{name} is a tar whose first header is damaged",
            Location(archive_offset=0),
            "compare its checksum with the original and copy it again",
        )
    from imagepeel.archive.mangled import mangled  # start time

    happened = mangled(name, head)
    if happened is not None:
        raise happened
    if _HTML.match(head):
        raise NotAnImage(f"{name} is a web page", hint="the download gave an error page; look at it in a text editor")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        raise _json(name, head)
    if source.size < 4096 and is_link_text(head):
        raise NotAnImage(
            f"{name} holds only a path: a symbolic link that was stored as text", hint="give the file that it names"
        )
    if len(head) < BLOCK:
        raise NotAnImage(
            f"{name} has only {plural(source.size, 'byte')}, too few for a tar", hint="it was probably cut off"
        )
    shown = " ".join(f"{byte:02x}" for byte in head[:8])
    raise NotAnImage(
        f"{name} is no tar and no format known here; it starts with {shown}",
        Location(archive_offset=0),
        "an image archive comes from docker save, podman save or skopeo copy",
    )


def _json(name: str, head: bytes) -> NotAnImage:
    if _DOCUMENT.search(head):
        return NotAnImage(
            f"{name} is one JSON document of an image, not the image",
            hint="give the archive or the directory (with index.json or manifest.json) that holds it",
        )
    return NotAnImage(
        f"{name} is a JSON file", hint="an image archive comes from docker save, podman save or skopeo copy"
    )
