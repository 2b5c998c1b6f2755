"""Recipes about layers as a stack, what runtimes refuse to unpack, and the archive around it."""

from __future__ import annotations

from typing import Any

import msgspec

from imagepeel.findings.recipes.parts import Recipe, add, app, lazy, noise, rootfs, sound
from imagepeel.forge.entry import directory, file, hardlink, opaque, raw_entry, sparse, symlink, whiteout
from imagepeel.forge.image import Fault, ImageSpec
from imagepeel.forge.layout import index
from imagepeel.forge.tar import encode

_BIG = noise("a large file", 200_000)
_TEXT = "motd\n"


def _data(mode: int = 0o644, uid: int = 0, mtime: int = 1_704_067_200) -> Any:
    return file("srv/data.bin", _BIG, mode, uid, uid, mtime)


def _twice(**changes: Any) -> ImageSpec:
    """A large file and a second layer that has it again."""
    return app(add(directory("srv"), _data(), by="COPY data.bin /srv/"), add(directory("srv"), _data(**changes)))


def _linked(path: str, *entries: Any) -> ImageSpec:
    base = rootfs(directory("usr"), directory("usr/lib"), file("usr/lib/libshop.so", "x"), symlink("lib", "usr/lib"))
    return app(add(*entries, file(path, "y")), base=base)


def _again(*entries: Any) -> ImageSpec:
    """/data with an old file, and a layer that makes it new."""
    old = add(directory("data"), file("data/old", "old\n"), by="COPY data /data")
    return app(old, add(*entries, directory("data"), file("data/new", "new\n"), by="RUN renew"))


def _layers(count: int) -> ImageSpec:
    return app(*[add(file(f"layer-{number}", "x")) for number in range(count - 1)])


def _other_half() -> ImageSpec:
    other = app(add(file("motd", "the image of index.json\n")))
    return msgspec.structs.replace(app(add(file("motd", _TEXT))), other=other, kind="docker-save-25")


def _flat() -> ImageSpec:
    base = rootfs(directory("dev"), directory("lib"), directory("proc"), directory("usr"), directory("var"))
    return msgspec.structs.replace(app(base=base), kind="rootfs")


def _stored(spec: ImageSpec, kind: str) -> ImageSpec:
    return msgspec.structs.replace(spec, kind=kind)


def _half_tar() -> bytes:
    whole = encode([file("motd", _TEXT), file("later", _BIG)])
    return whole[: len(whole) // 2]


RECIPES: dict[str, Recipe] = {
    # ---- bytes for nothing
    "DELETED-BYTES": Recipe(
        bad=lambda: app(
            add(directory("srv"), _data(), by="COPY data.bin /srv/"),
            add(whiteout("srv/data.bin"), by="RUN /bin/sh -c rm /srv/data.bin # buildkit"),
        ),
        good=sound,
    ),
    "METADATA-COPY": Recipe(bad=lazy(_twice, uid=1000), good=lambda: app(add(directory("srv"), _data(uid=1000)))),
    "IDENTICAL-REWRITE": Recipe(bad=_twice, good=lambda: app(add(directory("srv"), _data()))),
    "BUILD-DEBRIS": Recipe(
        bad=lambda: app(
            add(
                directory("root", 0o700),
                directory("root/.cache"),
                directory("root/.cache/pip"),
                file("root/.cache/pip/wheel", _BIG),
            )
        ),
        good=sound,
    ),
    # ---- the merge
    "LINK-SHADOWED": Recipe(
        bad=lazy(_linked, "lib/extra.so"),
        good=lazy(_linked, "usr/lib/extra.so"),
        also=("ROOTLESS-DIFFERS",),
    ),
    "FILE-BECOMES-DIRECTORY": Recipe(
        bad=lambda: app(add(file("motd", _TEXT)), add(file("motd/today", "x"))),
        good=lambda: app(add(file("motd", _TEXT)), add(directory("motd"), file("motd/today", "x"))),
        also=("ROOTLESS-DIFFERS",),
    ),
    "PARENT-NOT-DESCRIBED": Recipe(
        bad=lambda: app(add(file("tmp/seed", "x"))),
        good=lambda: app(add(directory("tmp", 0o1777), file("tmp/seed", "x"))),
    ),
    "RESURRECTED": Recipe(
        bad=lazy(_again, whiteout("data")),
        good=lazy(_again, directory("data"), opaque("data")),
        also=("ROOTLESS-DIFFERS",),
    ),
    "ROOT-OPAQUE": Recipe(
        bad=lambda: app(add(opaque(), file("motd", _TEXT))),
        good=lambda: app(add(file("motd", _TEXT))),
        also=("ROOTLESS-DIFFERS",),
    ),
    "GHOST-NAME": Recipe(
        bad=lambda: app(add(directory("srv"), whiteout("srv/never-there"), file("srv/motd", _TEXT))),
        good=lambda: app(add(directory("srv"), file("srv/motd", _TEXT))),
        also=("ROOTLESS-DIFFERS",),
    ),
    "WHITEOUT-NAMES": Recipe(
        bad=lambda: app(add(directory("srv"), file("srv/.wh.data/motd", _TEXT))),
        good=lambda: app(add(directory("srv"), directory("srv/data"), file("srv/data/motd", _TEXT))),
    ),
    "AUFS-LEFTOVER": Recipe(bad=lambda: app(add(file(".wh..wh.aufs", ""))), good=sound),
    "BASE-WHITEOUT": Recipe(bad=lambda: app(base=rootfs(whiteout("nothing"))), good=sound),
    "ROOTLESS-DIFFERS": Recipe(
        bad=lambda: app(add(file("motd", _TEXT)), add(file("motd/today", "x"), directory("motd/later"))),
        good=lambda: app(add(file("motd", _TEXT)), add(directory("motd"), file("motd/today", "x"))),
        also=("FILE-BECOMES-DIRECTORY",),
    ),
    # ---- refused
    "WHITEOUT-ORDER": Recipe(
        bad=lambda: app(add(file("motd", _TEXT)), add(file("motd", "new\n"), whiteout("motd"))),
        good=lambda: app(add(file("motd", _TEXT)), add(whiteout("motd"), file("motd", "new\n"))),
        also=("ROOTLESS-DIFFERS",),
    ),
    "WHITEOUT-NAMELESS": Recipe(bad=lambda: app(add(file("srv/.wh.", ""))), good=sound),
    "LINK-ACROSS-LAYERS": Recipe(
        bad=lambda: app(add(hardlink("bin/greet", "bin/hello", 0o755))),
        good=lambda: app(add(symlink("bin/greet", "hello"))),
        also=("ROOTLESS-DIFFERS",),
    ),
    "LINK-WITHOUT-TARGET": Recipe(
        bad=lambda: app(add(hardlink("two", "one"), file("one", "x"))),
        good=lambda: app(add(file("one", "x"), hardlink("two", "one"))),
    ),
    "OLD-SPARSE": Recipe(
        bad=lambda: app(add(sparse("disk.img", ((4096, b"x"),), 1 << 20, "gnu"))),
        good=lambda: app(add(sparse("disk.img", ((4096, b"x"),), 1 << 20, "pax-1.0"))),
    ),
    "UNKNOWN-ENTRY-TYPE": Recipe(
        bad=lambda: app(add(file("contiguous", "x", typeflag=b"7"))), good=lambda: app(add(file("contiguous", "x")))
    ),
    "DAMAGED-TAR": Recipe(
        bad=lambda: app(add(file("motd", _TEXT), raw_entry(b"\x01" * 512))), good=lambda: app(add(file("motd", _TEXT)))
    ),
    "DAMAGED-STREAM": Recipe(
        bad=lambda: msgspec.structs.replace(
            app(add(file("motd", _BIG), compression="gzip")),
            kind="oci-archive",
            faults=(Fault(kind="layer-bytes", layer=1, value=100_000),),
        ),
        good=lambda: _stored(app(add(file("motd", _BIG), compression="gzip")), "oci-archive"),
        also=("WRONG-DIGEST",),
    ),
    "UNPACK-REFUSED": Recipe(
        bad=lambda: app(add(file("x" * 300, "a name longer than Linux takes"))), good=lambda: app(add(file("x", "x")))
    ),
    # ---- the archive
    "TWO-IMAGES": Recipe(bad=_other_half, good=lambda: _stored(sound(), "docker-save-25")),
    "MISSING-PARTS": Recipe(
        bad=lambda: _stored(app(add(file("motd", _TEXT), missing=True)), "oci-archive"),
        good=lambda: _stored(app(add(file("motd", _TEXT))), "oci-archive"),
    ),
    "SPARSE-SAVE": Recipe(
        bad=lambda: index(sound(), app(architecture="arm64", faults=[Fault(kind="manifest-missing")]), names="demo:1"),
        good=lambda: index(sound(), names="demo:1"),
    ),
    "WRONG-DIGEST": Recipe(
        bad=lambda: app(faults=[Fault(kind="diff-id")]),
        good=sound,
    ),
    "LAYER-COUNT": Recipe(
        bad=lambda: app(faults=[Fault(kind="diff-id-count", value=1)]), good=sound, also=("HISTORY-SILENT",)
    ),
    "TOO-MANY-LAYERS": Recipe(bad=lazy(_layers, 126), good=lazy(_layers, 125)),
    "MEDIA-TYPE-LIE": Recipe(
        bad=lambda: _stored(
            app(
                add(
                    file("motd", _TEXT),
                    compression="gzip",
                    media_type="application/vnd.oci.image.layer.v1.tar",
                )
            ),
            "oci-archive",
        ),
        good=lambda: _stored(app(add(file("motd", _TEXT), compression="gzip")), "oci-archive"),
    ),
    "COMPRESSED-TAIL": Recipe(
        bad=lambda: _stored(app(add(file("motd", _TEXT), compression="gzip", tail=b"tail")), "oci-archive"),
        good=lambda: _stored(app(add(file("motd", _TEXT), compression="gzip")), "oci-archive"),
    ),
    "NO-PAPERWORK": Recipe(bad=_flat, good=sound),
    "HISTORY-SILENT": Recipe(bad=lambda: app(faults=[Fault(kind="history-count", value=1)]), good=sound),
    "ODD-TIME": Recipe(
        bad=lambda: app(created="1970-01-01T00:00:00Z"), good=lambda: app(created="2024-05-01T00:00:00Z")
    ),
    "ODD-DOCUMENTS": Recipe(
        bad=lambda: app(faults=[Fault(kind="config-duplicate", value="arm64")]),
        good=sound,
        also=("WRONG-ARCHITECTURE",),
    ),
}
