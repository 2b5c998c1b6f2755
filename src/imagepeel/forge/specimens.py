"""What teaching images and the examples of rules are made of: one small root directory, and images on top of it.

A specimen is told once, as a function of the `Maker` that makes an image of its layers and settings: the teaching image
`broken-entrypoint` and the bad image of the rule CRLF-SHEBANG are the same fault on two root directories.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import Any

from imagepeel.forge import programs
from imagepeel.forge.entry import Entry, directory, file, symlink
from imagepeel.forge.image import ImageSpec, LayerSpec, Step, image, layer

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENV_PATH = f"PATH={PATH}"
"""The search path that engines set where an image sets none, and its variable."""

PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n"
GROUP = "root:x:0:\napp:x:1000:\n"

SH = (file("bin/sh", programs.sh(), 0o755),)
"""A stand-in for /bin/sh that runs the program it is given and reads no script."""

DASH = (file("bin/dash", programs.sh() + b"\0Illegal option -%c\0", 0o755), symlink("bin/sh", "dash"))
"""The same with the words by which dash is recognised: rules that follow scripts know which shell reads them."""

GLIBC_LOADER = (
    b"\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0\0"
    b"/etc/ld.so.cache\0cannot open shared object file\0GLIBC_PRIVATE\0release version 2.36.\0"
)
"""What tells the loader of glibc from others, and the directories that are compiled into it."""

NET_BIND_SERVICE, NET_ADMIN = 10, 12
"""Numbers of capabilities (capabilities(7), linux/capability.h)."""

GOOD_SCRIPT = '#!/bin/sh\nexec "$@"\n'

Maker = Callable[..., ImageSpec]
"""`make(*layers, **settings)`: an image of these layers on the maker's base, with the settings of `forge.image`."""


def noise(name: str, size: int) -> bytes:
    """`size` bytes that do not compress and are always the same for a name."""
    return hashlib.shake_256(name.encode()).digest(size)


def root_layer(
    *more: Entry,
    shell: Sequence[Entry] = SH,
    passwd: str = "root:x:0:0:root:/root:/bin/sh\n",
    group: str = "root:x:0:\n",
    without: Sequence[str] = (),
) -> LayerSpec:
    """The base layer of every specimen: a shell, a program and the users, less the paths in `without`; then `more`."""
    entries = (
        directory("bin"),
        *shell,
        file("bin/hello", programs.hello(), 0o755),
        directory("etc"),
        file("etc/passwd", passwd),
        file("etc/group", group),
    )
    return layer(*_except(entries, without), *more, created_by="ADD rootfs.tar / # buildkit")


def complete_root(*more: Entry, without: Sequence[str] = (), passwd: str = PASSWD, group: str = GROUP) -> LayerSpec:
    """A base layer that surprises nobody: a shell that rules know, a second user with a home, /root and /tmp."""
    homes = (
        directory("home"),
        directory("home/app", 0o755, 1000, 1000),
        directory("root", 0o700),
        directory("tmp", 0o1777),
    )
    return root_layer(*_except(homes, without), *more, shell=DASH, passwd=passwd, group=group, without=without)


def _except(entries: Sequence[Entry], without: Sequence[str]) -> list[Entry]:
    return [entry for entry in entries if entry.path.decode() not in without]


ANYONES_HOME = complete_root(directory("home/app", 0o775, 1000, 0), without=["home/app"])
"""The same base, whose home is open to an arbitrary uid of group 0."""


def maker(base: LayerSpec | None, **defaults: Any) -> Maker:
    """A maker of images on `base` (None: on nothing) with these settings; an image may replace each (None: drop)."""

    def make(*layers: LayerSpec, base: LayerSpec | None = base, **changes: Any) -> ImageSpec:
        settings = {key: value for key, value in {**defaults, **changes}.items() if value is not None}
        return image(*layers, **settings) if base is None else image(base, *layers, **settings)

    return make


sound: Maker = maker(complete_root(), entrypoint=["/bin/hello"], env=[ENV_PATH], user="1000", names="demo:1")
"""An image in which no rule finds anything; what is given on top of it or instead of it spoils it."""


def add(*entries: Entry, by: str = "COPY . / # buildkit", **more: Any) -> LayerSpec:
    """A layer on top, written by the build step `by`."""
    return layer(*entries, created_by=by, **more)


def holding(*entries: Entry, **changes: Any) -> ImageSpec:
    """The sound image with one more layer, which holds these entries."""
    return sound(add(*entries), **changes)


def step(line: str, empty: bool = False) -> Step:
    """A history step of BuildKit; `empty` ones have no layer."""
    return Step(created_by=line, empty=empty, comment="buildkit.dockerfile.v0")


BASE_STEP = step("ADD rootfs.tar / # buildkit")
"""The history step of `root_layer`."""


def file_capability(number: int) -> bytes:
    """The value of `security.capability` that permits and raises this one capability (capabilities(7), revision 2)."""
    return struct.pack("<IIIII", 0x0200_0001, 1 << number, 0, 0, 0)


def script(make: Maker, text: str | bytes = GOOD_SCRIPT, mode: int = 0o755, **changes: Any) -> ImageSpec:
    """An image that starts /bin/hello through /entrypoint.sh with this text and mode."""
    settings: dict[str, Any] = {"entrypoint": ["/entrypoint.sh"], "cmd": ["/bin/hello"], **changes}
    return make(add(file("entrypoint.sh", text, mode), by="COPY entrypoint.sh / # buildkit"), **settings)


def server(make: Maker, program: bytes, *below: LayerSpec, mode: int = 0o755, **changes: Any) -> ImageSpec:
    """An image that starts /app/server, these bytes."""
    settings: dict[str, Any] = {"entrypoint": ["/app/server"], **changes}
    top = add(directory("app"), file("app/server", program, mode), by="COPY server /app/ # buildkit")
    return make(*below, top, **settings)


def shell_form(make: Maker, line: str, **changes: Any) -> ImageSpec:
    """An image whose command is the shell form of a Dockerfile: `/bin/sh -c LINE`."""
    return make(entrypoint=None, cmd=["/bin/sh", "-c", line], **changes)
