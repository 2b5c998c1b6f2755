"""How a trace is worded: the literal system call, and a place in the image for each file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Location, raw, text

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

LOOK_AT_HEAD = "head -c 64 | od -A n -v -t x1 | tr -s ' '"
LOOK_AT_FIRST_LINE = "head -n 1 | sed -n l"
LOOK_AT_PROGRAM_HEADERS = "readelf -lW /dev/stdin"
LOOK_AT_ELF_HEADER = "readelf -hW /dev/stdin"
LOOK_AT_DYNAMIC = "readelf -dW /dev/stdin"


def quote(word: str) -> str:
    """One string as a C literal: control characters and stray bytes become escapes."""
    shown = raw(word).decode("utf-8", "backslashreplace")
    return json.dumps(shown, ensure_ascii=False)


def vector(argv: Sequence[str]) -> str:
    """An argument vector as it is written in C; at most 24 words, the rest is counted."""
    shown = ", ".join(quote(word if len(word) <= 400 else word[:400] + "...") for word in argv[:24])
    more = f", ... {len(argv) - 24} more" if len(argv) > 24 else ""
    return f"[{shown}{more}]"


def execve(path: str, argv: Sequence[str], variables: int) -> str:
    """The request to the kernel: `execve("/bin/sh", ["sh", "-c", "id"], 3 variables)`."""
    noun = "variable" if variables == 1 else "variables"
    return f"execve({quote(path)}, {vector(argv)}, {variables} {noun})"


def below(directory: str, path: str) -> str:
    """A path from the root, for one that may start in this directory."""
    return path if path.startswith("/") else f"{directory.rstrip('/')}/{path.removeprefix('./')}"


def mount_over(rootfs: Rootfs, path: bytes) -> str:
    """The place above a path on which something is mounted, so that nothing of the image is seen there; "" without."""
    return next((text(top) for top in sorted(rootfs.covers) if path.startswith(top.rstrip(b"/") + b"/")), "")


def locate(rootfs: Rootfs, path: bytes | str) -> Location | None:
    """Where the image brings this path from; None where it does not exist."""
    try:
        place = rootfs.location(raw(path))
    except (ImagepeelError, KeyError):
        return None
    if place is not None and place.path is None:
        return Location(
            layer=place.layer,
            step=place.step,
            entry=place.entry,
            layer_offset=place.layer_offset,
            member=place.member,
            blob=place.blob,
            archive_offset=place.archive_offset,
            path=text(path),
        )
    return place


def config_place(pointer: str) -> Location:
    """A place in the image config, as a JSON pointer."""
    return Location(pointer=pointer)
