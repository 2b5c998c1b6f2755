"""The bad and the good image of each rule of the family `unpack`."""

from __future__ import annotations

import msgspec

from imagepeel.findings.example import Example, specimen, stored
from imagepeel.forge.entry import (
    directory,
    file,
    hardlink,
    raw_entry,
    sparse,
    symlink,
    whiteout,
)
from imagepeel.forge.image import Fault
from imagepeel.forge.specimens import (
    add,
    noise,
    sound,
)

_BIG = noise("a large file", 200_000)

_TEXT = "motd\n"

EXAMPLES: dict[str, Example] = {
    "WHITEOUT-ORDER": Example(
        bad=lambda: sound(add(file("motd", _TEXT)), add(file("motd", "new\n"), whiteout("motd"))),
        good=lambda: sound(add(file("motd", _TEXT)), add(whiteout("motd"), file("motd", "new\n"))),
    ),
    "WHITEOUT-NAMELESS": Example(bad=lambda: sound(add(file("srv/.wh.", ""))), good=sound),
    "LINK-ACROSS-LAYERS": specimen("link-below"),
    "LINK-WITHOUT-TARGET": Example(
        bad=lambda: sound(add(hardlink("two", "one"), file("one", "x"))),
        good=lambda: sound(add(file("one", "x"), hardlink("two", "one"))),
    ),
    "OLD-SPARSE": Example(
        bad=lambda: sound(add(sparse("disk.img", ((4096, b"x"),), 1 << 20, "gnu"))),
        good=lambda: sound(add(sparse("disk.img", ((4096, b"x"),), 1 << 20, "pax-1.0"))),
    ),
    "UNKNOWN-ENTRY-TYPE": Example(
        bad=lambda: sound(add(file("contiguous", "x", typeflag=b"7"))), good=lambda: sound(add(file("contiguous", "x")))
    ),
    "DAMAGED-TAR": Example(
        bad=lambda: sound(add(file("motd", _TEXT), raw_entry(b"\x01" * 512))),
        good=lambda: sound(add(file("motd", _TEXT))),
    ),
    "DAMAGED-STREAM": Example(
        bad=lambda: msgspec.structs.replace(
            sound(add(file("motd", _BIG), compression="gzip")),
            kind="oci-archive",
            faults=(Fault(kind="layer-bytes", layer=1, value=100_000),),
        ),
        good=lambda: stored(sound(add(file("motd", _BIG), compression="gzip")), "oci-archive"),
        also=("WRONG-DIGEST",),
    ),
    "UNPACK-REFUSED": Example(
        bad=lambda: sound(add(file("x" * 300, "a name longer than Linux takes"))),
        good=lambda: sound(add(file("x", "x"))),
    ),
    "STORE-REFUSES-LAYER": Example(
        bad=lambda: sound(
            add(directory("srv/one"), directory("srv/one/etc")),
            add(symlink("srv/two", "/srv/one"), file("srv/two/etc/motd", _TEXT)),
        ),
        good=lambda: sound(
            add(directory("srv/one"), directory("srv/one/etc")),
            add(symlink("srv/two", "/srv/one"), file("srv/one/etc/motd", _TEXT)),
        ),
        also=("ATTACKS-THROUGH-LINK",),
    ),
}
