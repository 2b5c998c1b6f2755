"""Where the columns say that all engines agree, playing every engine through says so too.

The layers have the same few names, on which engines mostly agree, and one odd thing now and then.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imagepeel.findings.semantics.compare import compare_layers
from imagepeel.findings.semantics.notes import unlike
from imagepeel.findings.semantics.side_by_side import side_by_side
from imagepeel.formats.tar.scanner import scan
from imagepeel.rootfs.engines.agreement import engines_agree
from imagepeel.rootfs.engines.names import VIEWS
from imagepeel.rootfs.tree.inode import Tree
from imagepeel.rootfs.view import build

Member = tarfile.TarInfo


class TarLayer:
    """A layer of bytes."""

    def __init__(self, index: int, members: list[Member]) -> None:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for info in members:
                tar.addfile(info, io.BytesIO(b"x" * info.size))
        scanned = scan(file.getvalue())
        self.index = index
        self.table = scanned.table
        self.error = scanned.error


def layers_of(stack: list[list[Member]]) -> list[TarLayer]:
    return [TarLayer(i, members) for i, members in enumerate(stack)]


def decided(layers: list[TarLayer]) -> bool:
    runtime = build(layers, "runtime")
    return runtime.refusal is None and engines_agree(runtime.uppers)


def played(layers: list[TarLayer]) -> bool:
    """Whether no engine refuses the layers and every view shows the same."""
    views = [build(layers, view) for view in VIEWS]
    return all(view.refusal is None for view in views) and not list(side_by_side(views))


def member(
    name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o755, owner: int = 0, *, to: str = "", **pax: str
) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid, info.linkname, info.mtime = kind, mode, owner, owner, to, 7
    info.pax_headers = {key.replace("_", "."): value for key, value in pax.items()}
    return info


def folder(name: str, mode: int = 0o755, owner: int = 0) -> Member:
    return member(name, tarfile.DIRTYPE, mode, owner)


def hard(name: str, to: str, mode: int = 0o755) -> Member:
    return member(name, tarfile.LNKTYPE, mode, to=to)


NAMES = ("a", "b", "c")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
USUAL = ("file", "file", "folder", "folder", "whiteout", "link", "hard")
ODD: dict[str, Callable[[str], Member]] = {
    "other owner": lambda path: folder(path, 0o700, 7),
    "opaque": lambda path: member(path + "/.wh..wh..opq"),
    "device": lambda path: member(path, tarfile.CHRTYPE),
    "pipe": lambda path: member(path, tarfile.FIFOTYPE),
    "attribute": lambda path: member(path, SCHILY_xattr_user_k="v"),
    "capability": lambda path: member(path, SCHILY_xattr_security_capability="v"),
    "overlay attribute": lambda path: member(path, tarfile.DIRTYPE, SCHILY_xattr_trusted_overlay_opaque="y"),
    "early": lambda path: member(path, mtime="-7"),
    "late": lambda path: member(path, mtime="10000000000"),
    "root": lambda path: folder("./", 0o1777),
    "climbing": lambda path: member(f"{path}/../d"),
    "bookkeeping": lambda path: member(f"{path}/.wh..wh.plnk"),
    "hidden folder": lambda path: folder(f".wh.{path.replace('/', '')}/a"),
    "absolute": lambda path: member("/" + path),
    "no owner": lambda path: member(path, owner=0xFFFFFFFF),
    "other link": lambda path: hard(path, "a", 0o700),
}


@st.composite
def near(draw: st.DrawFn) -> list[Member]:
    """Members of one layer on which engines mostly agree."""
    out: list[Member] = []
    taken: dict[str, str] = {}
    odd = draw(st.sampled_from((*((None,) * 12), *ODD)))
    for path in draw(st.lists(PATHS, max_size=6, unique=True)):
        parents = [path[:i] for i, letter in enumerate(path) if letter == "/"]
        if path in taken or any(taken.get(parent, "folder") != "folder" for parent in parents):
            continue
        kind = draw(st.sampled_from(USUAL))
        above, _, name = path.rpartition("/")
        files = [known for known, what in taken.items() if what == "file"]
        if kind == "hard" and files:
            out.append(hard(path, draw(st.sampled_from(files))))
        elif kind == "folder":
            out.append(folder(path, draw(st.sampled_from((0o755, 0o755, 0o755, 0o700)))))
        elif kind == "whiteout":
            out.append(member(f"{above}/.wh.{name}".lstrip("/")))
        elif kind == "link":
            out.append(member(path, tarfile.SYMTYPE, to=draw(st.sampled_from(("a", "/b", "../c")))))
        else:
            kind = "file"
            out.append(member(path))
        taken.update(dict.fromkeys(parents, "folder"))
        taken[path] = kind
    if odd is not None:
        out.insert(draw(st.integers(0, len(out))), ODD[odd](draw(PATHS)))
    return out


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(near(), max_size=4))
@example([[folder("a"), member("a/b")], [member("a/.wh.b")], [folder("a/b"), member("a/b/c")]])
@example([[folder("a"), folder("a/b", 0o700)], [member(".wh.a")], [folder("a"), member("a/b/c")]])
@example([[member("a/b")], [member(".wh.a")], [member("a")], [member(".wh.a")], [member("a/b/c")]])
def test_what_is_decided_is_what_is_played(stack: list[list[Member]]) -> None:
    layers = layers_of(stack)
    if decided(layers):
        assert played(layers)
        assert unlike(build(layers, "runtime"), build(layers, "sequential")).note is None


BASE = [
    folder("./"),
    folder("etc"),
    folder("usr"),
    folder("usr/bin"),
    member("usr/bin/sh"),
    hard("usr/sh", "usr/bin/sh"),
]
AGREED = {
    "a layer": [BASE],
    "no layer": [],
    "names that are added": [BASE, [folder("usr"), member("usr/new"), folder("usr/share", 0o700, 7)]],
    "a parent that no entry describes": [BASE, [member("usr/bin/new"), member("opt/deep/new")]],
    "a file that is removed": [BASE, [member("usr/bin/.wh.sh")]],
    "a directory that is removed, and made again": [BASE, [member(".wh.usr")], [folder("usr", 0o700), member("usr/x")]],
    "a removed directory of a removed one": [BASE, [member("usr/.wh.bin"), member(".wh.etc")], [member(".wh.usr")]],
    "nothing that is removed": [BASE, [member("etc/.wh.nothing")]],
    "a file that is replaced": [
        BASE,
        [member("usr/bin/sh", mode=0o644)],
        [member("usr/bin/sh", tarfile.SYMTYPE, to="x")],
    ],
    "a capability": [BASE, [member("usr/ping", SCHILY_xattr_security_capability="v")]],
}


@pytest.mark.parametrize("name", AGREED)
def test_ordinary_images_are_decided(name: str) -> None:
    layers = layers_of(AGREED[name])
    assert played(layers)
    assert decided(layers)
    found = compare_layers(layers)
    assert found.agree and found.views == VIEWS and not found.total


UNLIKE = {
    "a directory in the place of a link": [
        [folder("usr"), member("lib", tarfile.SYMTYPE, to="usr")],
        [member("lib/x")],
    ],
    "a directory in the place of a file": [[member("a")], [member("a/x")]],
    "a directory with other rights that is implied": [[folder("a", 0o700)], [member("a/x")]],
    "a whiteout that has nothing to stand in": [BASE, [member("opt/.wh.x")]],
    "a whiteout in a removed directory": [BASE, [member(".wh.etc")], [member("etc/.wh.x")]],
    "an opaque mark at the root": [BASE, [member(".wh..wh..opq")]],
    "a hardlink that says something else": [[member("a"), hard("b", "a", 0o700)]],
    "a root with other rights": [[folder("./", 0o1777)]],
    "a device that hides": [BASE, [member("etc", tarfile.CHRTYPE)]],
    "a time before 1970": [[member("a", mtime="-7")]],
}


@pytest.mark.parametrize("name", UNLIKE)
def test_what_engines_show_otherwise_is_never_decided(name: str) -> None:
    layers = layers_of(UNLIKE[name])
    assert not decided(layers)
    assert not played(layers)


def test_the_trees_of_the_layers_are_asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image on which engines agree is compared without one entry played or one node made."""
    layers = layers_of([BASE, [member("usr/bin/new"), member("usr/.wh.sh")]])

    def made(*_: object) -> None:
        raise AssertionError("a name was looked for")

    runtime = build(layers, "runtime")
    monkeypatch.setattr(Tree, "lstat", made)
    assert engines_agree(runtime.uppers)
