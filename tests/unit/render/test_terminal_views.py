"""The words of `views`: nobody is told that engines agree where one of them refuses the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagepeel import forge
from imagepeel.cli import cli
from runner import runner

ALIKE = [forge.layer(forge.file("d", "1"))]
REFUSED = [forge.layer(forge.file("d", "1")), forge.layer(forge.file("d/e/f", "1"))]


@pytest.mark.parametrize(("layers", "alike"), ((ALIKE, True), (REFUSED, False)))
def test_engines_agree_only_where_none_refuses(layers: list[forge.LayerSpec], alike: bool, tmp_path: Path) -> None:
    path = forge.write(forge.image(*layers, names="x:1"), tmp_path / "image.tar")
    done = runner().invoke(cli, ["views", str(path)])
    assert ("Nothing in the layers depends on the engine." in done.output) is alike
    assert ("lstat /d/e: not a directory" in done.output) is not alike
