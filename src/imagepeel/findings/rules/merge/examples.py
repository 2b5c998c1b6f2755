"""The bad and the good image of each rule of the family `merge`."""

from __future__ import annotations

from functools import partial
from typing import Any

from imagepeel.findings.example import Example, specimen
from imagepeel.forge.entry import (
    directory,
    file,
    opaque,
    symlink,
    whiteout,
)
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.specimens import (
    add,
    complete_root,
    sound,
)

_TEXT = "motd\n"


def _linked(path: str, *entries: Any) -> ImageSpec:
    base = complete_root(
        directory("usr"), directory("usr/lib"), file("usr/lib/libshop.so", "x"), symlink("lib", "usr/lib")
    )
    return sound(add(*entries, file(path, "y")), base=base)


EXAMPLES: dict[str, Example] = {
    "LINK-SHADOWED": Example(
        bad=partial(_linked, "lib/extra.so"),
        good=partial(_linked, "usr/lib/extra.so"),
    ),
    "FILE-BECOMES-DIRECTORY": Example(
        bad=lambda: sound(add(file("motd", "")), add(file("motd/today", "x"))),
        good=lambda: sound(add(file("motd", "")), add(directory("motd"), file("motd/today", "x"))),
    ),
    "PARENT-NOT-DESCRIBED": Example(
        bad=lambda: sound(add(file("tmp/seed", "x"))),
        good=lambda: sound(add(directory("tmp", 0o1777), file("tmp/seed", "x"))),
    ),
    "RESURRECTED": specimen("resurrect", also=("USER-CANNOT-READ",)),
    "ROOT-OPAQUE": Example(
        bad=lambda: sound(add(opaque(), file("motd", _TEXT))),
        good=lambda: sound(add(file("motd", _TEXT))),
    ),
    "GHOST-NAME": Example(
        bad=lambda: sound(add(directory("srv"), whiteout("srv/never-there"), file("srv/motd", _TEXT))),
        good=lambda: sound(add(directory("srv"), file("srv/motd", _TEXT))),
    ),
    "WHITEOUT-NAMES": Example(
        bad=lambda: sound(add(directory("srv"), file("srv/.wh.data/motd", _TEXT))),
        good=lambda: sound(add(directory("srv"), directory("srv/data"), file("srv/data/motd", _TEXT))),
    ),
    "AUFS-LEFTOVER": Example(bad=lambda: sound(add(file(".wh..wh.aufs", ""))), good=sound),
    "BASE-WHITEOUT": Example(bad=partial(sound, base=complete_root(whiteout("nothing"))), good=sound),
    "ROOTLESS-DIFFERS": Example(
        bad=lambda: sound(add(file("motd", _TEXT)), add(file("motd", "13 comment=c\n", typeflag=b"g"))),
        good=lambda: sound(add(file("motd", _TEXT))),
        also=("GLOBAL-HEADER",),
    ),
}
