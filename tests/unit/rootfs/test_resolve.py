"""Where a trailing slash in the target of a link asks for a directory; expected values are what Linux does."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge

LINKS = {"slash": "d/", "dot": "d/.", "file": "d/f/", "filedot": "d/f/.", "up": "slash/../d/"}
PATHS = ("slash/f", "dot/f", "slash", "file", "filedot", "up/f", "slash/f/", "up/f/.")


@pytest.mark.parametrize("path", PATHS)
def test_a_slash_behind_a_link_asks_for_a_directory_only_at_the_end(
    path: str, tmp_path: Path, forge_archive: Callable[..., Path]
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("here")
    for name, target in LINKS.items():
        (tmp_path / name).symlink_to(target)
    try:
        os.stat(f"{tmp_path}/{path}")
        real = ""
    except OSError as error:
        real = os.strerror(error.errno or 0)
    layer = forge.layer(
        forge.directory("d"), forge.file("d/f", "here"), *(forge.symlink(name, to) for name, to in LINKS.items())
    )
    with imagepeel.open(forge_archive(forge.image(layer))) as archive:
        found = archive.image().rootfs.resolve(path)
    assert (os.strerror(getattr(errno, found.errno)) if found.errno else "") == real
