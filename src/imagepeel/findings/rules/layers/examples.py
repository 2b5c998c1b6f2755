"""The bad and the good image of each rule of the family `layers`."""

from __future__ import annotations

from functools import partial
from typing import Any

from imagepeel.findings.example import Example
from imagepeel.forge.entry import (
    directory,
    file,
    sparse,
    whiteout,
)
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.specimens import (
    add,
    holding,
    noise,
    sound,
)

_BIG = noise("a large file", 200_000)


def _data(mode: int = 0o644, uid: int = 0, mtime: int = 1_704_067_200) -> Any:
    return file("srv/data.bin", _BIG, mode, uid, uid, mtime=mtime)


def _twice(**changes: Any) -> ImageSpec:
    """A large file and a second layer that has it again."""
    return sound(add(directory("srv"), _data(), by="COPY data.bin /srv/"), add(directory("srv"), _data(**changes)))


EXAMPLES: dict[str, Example] = {
    "DELETED-BYTES": Example(
        bad=lambda: sound(
            add(directory("srv"), _data(), by="COPY data.bin /srv/"),
            add(whiteout("srv/data.bin"), by="RUN /bin/sh -c rm /srv/data.bin # buildkit"),
        ),
        good=sound,
    ),
    "METADATA-COPY": Example(bad=partial(_twice, uid=1000), good=lambda: sound(add(directory("srv"), _data(uid=1000)))),
    "IDENTICAL-REWRITE": Example(bad=_twice, good=lambda: sound(add(directory("srv"), _data()))),
    "BUILD-DEBRIS": Example(
        bad=lambda: sound(
            add(
                directory("root", 0o700),
                directory("root/.cache"),
                directory("root/.cache/pip"),
                file("root/.cache/pip/wheel", _BIG),
            )
        ),
        good=sound,
    ),
    "SPARSE-MONSTER": Example(
        bad=lambda: holding(
            directory("var"), directory("var/log"), sparse("var/log/lastlog", ((1 << 20, b"root"),), 400 * 1024**3)
        ),
        good=lambda: holding(directory("var"), directory("var/log"), file("var/log/lastlog", "")),
    ),
}
