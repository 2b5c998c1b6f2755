"""Images made to be hard to unpack: thousands of entries of every type and mode, and each layer undoing the last."""

from __future__ import annotations

import itertools
import struct

from imagepeel import forge

Entries = list[forge.Entry]
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
"""A version 2 security.capability with cap_net_bind_service permitted and effective."""
TYPES = ("file", "dir", "symlink", "fifo", "char", "hardlink", "absent")


def of_type(path: bytes, kind: str, text: str) -> Entries:
    """One name of a type; a hardlink needs the name `seed` in the same layer."""
    mtime = 1_600_000_000 + len(path)
    match kind:
        case "file":
            return [forge.file(path, f"{text} {path!r}", 0o640, 7, 8, mtime=mtime)]
        case "dir":
            return [
                forge.directory(path, 0o750, 9, 10, mtime=mtime),
                forge.file(path + b"/inside", text, mtime=mtime),
            ]
        case "symlink":
            return [forge.symlink(path, f"../{text}", 3, 4, mtime)]
        case "fifo":
            return [forge.fifo(path, 0o622, 1, 2, mtime)]
        case "char":
            return [forge.device(path, 1, 3, mode=0o666, mtime=mtime)]
        case "hardlink":
            return [forge.hardlink(path, b"seed-" + text.encode(), 0o600, 11, 12)]
    return []


def base(step: int = 1) -> Entries:
    """The first layer: every mode (or each `step`-th), type, odd name, attribute, time and owner."""
    out: Entries = [forge.file("seed-one", "seed one", 0o600, 11, 12)]
    out.append(forge.directory("modes"))
    out += [forge.file(f"modes/{mode:04o}", f"{mode}", mode, mode, 4096 - mode) for mode in range(0, 0o10000, step)]
    out.append(forge.directory("locked", 0))
    for mode in range(0, 0o10000, 37):
        out.append(forge.directory(f"locked/{mode:04o}", mode, mode % 7, mode % 5, mtime=1_000_000_000 + mode))
        out.append(forge.file(f"locked/{mode:04o}/f", f"in {mode}", mode))
    out += [forge.directory("types")]
    out += itertools.chain.from_iterable(
        of_type(b"types/%s-to-%s" % (a.encode(), b.encode()), a, "one") for a in TYPES for b in TYPES
    )
    out.append(forge.directory("names"))
    for name in (
        b"latin-\xe9\xff\x80",
        b"\xf0\x9f\x90\x8b",
        b"new\nline",
        b"esc\x1b[31mred",
        b"back\\slash",
        b"c:\\x",
        b" ",
        b"-rf",
        b"*?[x]",
        b"~",
        b"...",
        b".wh",
        b"wh.x",
        b"n" * 255,
        b"\xff" * 255,
        b"\xc3\xa9",
        b"e\xcc\x81",
        b"Case",
        b"cASE",
    ):
        out.append(forge.file(b"names/" + name, name))
    deep = b"/".join(bytes([97 + i % 26]) * 99 for i in range(10))
    parts = deep.split(b"/")
    out += [forge.directory(b"deep/" + b"/".join(parts[:i])) for i in range(len(parts) + 1)]
    out.append(forge.file(b"deep/" + deep + b"/leaf", "a path of a thousand bytes"))
    out.append(forge.symlink(b"deep/" + deep + b"/link", b"x" * 1000))
    out += [forge.directory("links"), forge.file("links/a", "linked", 0o4755, 1, 1)]
    out += [forge.hardlink(f"links/{name}", "links/a", 0o4755, 1, 1) for name in "bcdef"]
    out += [forge.symlink("links/s", "nowhere"), forge.hardlink("links/s2", "links/s")]
    out += [forge.fifo("links/p"), forge.hardlink("links/p2", "links/p")]
    out += [forge.symlink("links/loop", "loop"), forge.symlink("links/abs", "/etc/passwd"), forge.symlink("l", "/")]
    out.append(forge.directory("sparse"))
    for form in ("gnu-like", "pax-0.0", "pax-0.1", "pax-1.0"):
        if form != "gnu-like":
            pieces = ((0, b"head" * 128), (1 << 20, b"mid" * 512), (5 << 20, b"t" * 512))
            out.append(forge.sparse(f"sparse/{form}", pieces, 8 << 20, form))
            out.append(forge.sparse(f"sparse/hole-{form}", (), 1 << 20, form))
    out.append(forge.directory("odd", xattrs={"user.dir": b"on a directory"}))
    out.append(forge.file("odd/cap", "ping", 0o755, xattrs={"security.capability": CAPABILITY}))
    out.append(forge.file("odd/user", "x", xattrs={"user.a": b"\0\xff=\n", "user.b": b"b" * 200}))
    out.append(forge.file("odd/setuid", "x", 0o6755, 2_097_152, 4_294_967_294))
    for number, mtime in enumerate([0, 1, (1, 999_999_999), 1 << 31, (1 << 33) - 1, (1_700_000_000, 123_456_789)]):
        out.append(forge.file(f"odd/time{number}", "t", mtime=mtime))
    out += [forge.device("odd/null", 1, 3, mode=0o666), forge.device("odd/loop", 7, 200, block=True, mode=0o660, gid=6)]
    out += [forge.device("odd/big", 511, 70_000)]
    for folder in ("opaque", "whited", "implied", "twice"):
        out += [forge.directory(folder, 0o711, 5, 6), forge.directory(f"{folder}/sub", 0o1777)]
        out += [forge.file(f"{folder}/{n}", f"{folder} {n}") for n in range(100)]
        out += [forge.file(f"{folder}/sub/{n}", f"{folder} {n}") for n in range(100)]
    return out


def undo() -> Entries:
    """The second layer: types replaced by types, hardlinks broken and kept, both kinds of whiteout."""
    out: Entries = [forge.file("seed-two", "seed two", 0o600, 11, 12), forge.directory("types", 0o700, 1, 1)]
    for a in TYPES:
        for b in TYPES:
            path = b"types/%s-to-%s" % (a.encode(), b.encode())
            new = of_type(path, b, "two")
            if b == "absent":
                out += [forge.whiteout(path)] if a != "absent" else []
            else:
                out += new
    out += [forge.file("links/c", "a new file"), forge.whiteout("links/d"), forge.symlink("links/e", "a")]
    out += [forge.directory("opaque", 0o700), forge.opaque("opaque"), forge.file("opaque/5", "again")]
    out += [forge.directory("opaque/sub", 0o755), forge.file("opaque/sub/new", "n")]
    out += [forge.whiteout(f"whited/{n}") for n in range(0, 100, 3)] + [forge.whiteout("whited/sub")]
    out += [forge.file("implied/sub/more", "m"), forge.directory("twice"), forge.opaque("twice")]
    out += [forge.whiteout(f"modes/{mode:04o}") for mode in range(0, 0o10000, 5)]
    return out


def again() -> Entries:
    """The third layer: what was removed comes back, and what came is removed."""
    out: Entries = [
        forge.file("whited/0", "back"),
        forge.directory("whited/sub", 0o500),
        forge.file("whited/sub/x", "x"),
    ]
    out += [forge.file("modes/0000", "back", 0o4711), forge.whiteout("seed-two"), forge.whiteout("opaque")]
    out += [forge.directory("twice", 0o1700, 3, 3), forge.opaque("twice"), forge.file("twice/7", "third")]
    out += [forge.whiteout("deep"), forge.directory("new/er/est", 0o755), forge.file("new/er/est/f", "f")]
    return out


def image() -> forge.ImageSpec:
    """Three layers that engines agree on, some 6,000 entries in their tars."""
    return forge.image(forge.layer(*base()), forge.layer(*undo()), forge.layer(*again()), names="nasty:1")
