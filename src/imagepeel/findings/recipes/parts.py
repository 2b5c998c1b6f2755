"""Building blocks of recipes: a small image without any surprise, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from imagepeel.forge import programs
from imagepeel.forge.entry import Entry, directory, file, symlink
from imagepeel.forge.image import ImageSpec, LayerSpec, image, layer
from imagepeel.forge.layout import IndexSpec

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n"
GROUP = "root:x:0:\napp:x:1000:\n"


DASH = programs.sh() + b"\0Illegal option -%c\0"
"""A program that does what `sh -c` and `exec "$@"` come to, with the words by which dash is recognised."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """`bad` makes an image that the rule finds, `good` its repaired twin in which no rule finds anything.

    `also` names the other rules that the bad image cannot help but fire.
    """

    bad: Callable[[], ImageSpec | IndexSpec]
    good: Callable[[], ImageSpec | IndexSpec]
    also: tuple[str, ...] = ()


def noise(name: str, size: int) -> bytes:
    """`size` bytes that do not compress, the same for the same name."""
    import hashlib

    return hashlib.shake_256(name.encode()).digest(size)


def rootfs(*more: Entry, without: Sequence[str] = (), passwd: str = PASSWD, group: str = GROUP) -> LayerSpec:
    """The base layer: a stand-in for dash, a program, two users, a home and /tmp; `without` leaves paths out."""
    entries = (
        directory("bin"),
        file("bin/dash", DASH, 0o755),
        symlink("bin/sh", "dash"),
        file("bin/hello", programs.hello(), 0o755),
        directory("etc"),
        file("etc/passwd", passwd),
        file("etc/group", group),
        directory("home"),
        directory("home/app", 0o755, 1000, 1000),
        directory("root", 0o700),
        directory("tmp", 0o1777),
    )
    kept = [entry for entry in entries if entry.path.decode() not in without]
    return layer(*kept, *more, created_by="ADD rootfs.tar / # buildkit")


def app(*layers: LayerSpec, base: LayerSpec | None = None, **changes: Any) -> ImageSpec:
    """A sound image: the base layer, `layers` on top, and settings that surprise nobody; `changes` replace them."""
    settings: dict[str, Any] = {
        "entrypoint": ["/bin/hello"],
        "env": [PATH],
        "user": "1000",
        "names": "demo:1",
        **changes,
    }
    settings = {key: value for key, value in settings.items() if value is not None}
    return image(base if base is not None else rootfs(), *layers, **settings)


def add(*entries: Entry, by: str = "COPY . / # buildkit", **more: Any) -> LayerSpec:
    """A layer on top."""
    return layer(*entries, created_by=by, **more)


def sound() -> ImageSpec:
    """The sound image as it is."""
    return app()


def entrypoint(text: str | bytes, mode: int = 0o755, **changes: Any) -> ImageSpec:
    """The sound image started through /entrypoint.sh with this text."""
    settings: dict[str, Any] = {"entrypoint": ["/entrypoint.sh"], "cmd": ["/bin/hello"], **changes}
    return app(add(file("entrypoint.sh", text, mode), by="COPY entrypoint.sh / # buildkit"), **settings)


GOOD_SCRIPT = '#!/bin/sh\nexec "$@"\n'


def good_script() -> ImageSpec:
    """The sound image with an entrypoint script as it should be."""
    return entrypoint(GOOD_SCRIPT)


def lazy(make: Callable[..., ImageSpec], *arguments: Any, **options: Any) -> Callable[[], ImageSpec]:
    """A spec that is made when asked for."""
    return lambda: make(*arguments, **options)
