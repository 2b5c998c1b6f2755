"""The names of whiteouts, what each hides, and that nobody else spells them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import imagepeel
from imagepeel.formats.tar.whiteouts import (
    Mark,
    Whiteout,
    hidden_path,
    marks_that_hide,
    opaque_mark_of,
    parse,
    whiteout_of,
)

PACKAGE = Path(imagepeel.__file__).parent
# The play-throughs follow foreign programs line by line; the forge and the bad images share nothing with the readers.
OWN = ("formats/tar/whiteouts.py", "rootfs/engines/", "forge/", "findings/recipes/")


@pytest.mark.parametrize(
    ("name", "mark", "hidden"),
    [
        (b".wh.passwd", Mark.WHITEOUT, b"passwd"),
        (b".wh..hidden", Mark.WHITEOUT, b".hidden"),
        (b".wh.....", Mark.WHITEOUT, b"...."),
        (b".wh..wh..opq", Mark.OPAQUE, b".wh..opq"),
        (b".wh..wh.plnk", Mark.AUFS, b".wh.plnk"),
        (b".wh..wh..opqx", Mark.AUFS, b".wh..opqx"),
        (b".wh.", Mark.NAMELESS, b""),
        (b".wh..", Mark.NAMELESS, b"."),
        (b".wh...", Mark.NAMELESS, b".."),
    ],
)
def test_a_name_says_what_it_is(name: bytes, mark: Mark, hidden: bytes) -> None:
    assert parse(name) == Whiteout(mark, hidden)


@pytest.mark.parametrize("name", [b"", b"wh.x", b".wh", b"a.wh.b", b".WH.x"])
def test_other_names_are_no_whiteouts(name: bytes) -> None:
    assert parse(name) is None
    assert hidden_path(b"/d/" + name) == b"/d/" + name


@pytest.mark.parametrize(
    ("entry", "hidden"),
    [
        (b"/etc/.wh.passwd", b"/etc/passwd"),
        (b"/.wh.etc", b"/etc"),
        (b".wh.etc", b"etc"),
        (b"/etc/.wh..wh..opq", b"/etc"),
        (b"/.wh..wh..opq", b"/"),
        (b".wh..wh..opq", b""),
    ],
)
def test_what_an_entry_hides(entry: bytes, hidden: bytes) -> None:
    assert hidden_path(entry) == hidden


def test_every_mark_above_a_path_hides_it_and_overlayfs_ignores_the_one_at_the_root() -> None:
    above = [b"/a/.wh.b", b"/a/.wh..wh..opq", b"/.wh.a"]
    assert list(marks_that_hide(b"/a/b", overlay=True)) == above
    assert list(marks_that_hide(b"/a/b", overlay=False)) == [*above, b"/.wh..wh..opq"]
    assert list(marks_that_hide(b"/", overlay=False)) == []
    assert hidden_path(whiteout_of(b"/a/b")) == b"/a/b"
    assert hidden_path(opaque_mark_of(b"/a")) == b"/a"


def _spelled(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Constant):
            value = node.value
            # Text may speak of the names; bytes, and text that begins with one, are compared with names.
            if (isinstance(value, bytes) and b".wh." in value) or (isinstance(value, str) and value[:4] == ".wh."):
                yield f"{module}:{node.lineno}"


def test_nobody_else_spells_the_names() -> None:
    found = {str(module.relative_to(PACKAGE)): list(_spelled(module)) for module in sorted(PACKAGE.rglob("*.py"))}
    assert found["formats/tar/whiteouts.py"]
    spelled = {
        name: places
        for name, places in found.items()
        if places and not name.startswith(OWN) and not name.endswith("/examples.py")
    }
    assert spelled == {}
