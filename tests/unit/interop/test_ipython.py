"""Tab in the real IPython: what it completes in quotes, and that a hostile name stays what it is."""

from __future__ import annotations

import ast
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge

pytest.importorskip("IPython")
pytest.importorskip("jedi")

from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

Tab = Callable[[str], list[str]]
EVIL = ("x';import os#", 'y"+boom()+"', "z\u202egnp", "w\nnext", "v\\", "\x1b[2J")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """Return what Tab makes of a line, as the kernel of a notebook asks it."""
    layer = forge.layer(
        forge.directory("etc"), forge.file("etc/passwd", "root:x:0:0::/:/bin/sh\n"), forge.file("etc/papersize", "a4"),
        forge.directory("evil"), *(forge.file("evil/" + name, "") for name in EVIL), forge.file("evil/plain", ""),
    )  # fmt: skip
    path = forge.write(forge.image(layer, names=["shop:1.4", "shop:latest"]), tmp_path_factory.mktemp("tab") / "a.tar")
    # A shell of its own: no history file, no config of whoever runs the tests.
    shell = InteractiveShell()
    with imagepeel.open(Path(path)) as archive:
        image = archive.image("shop:1.4")
        shell.user_ns.update(
            archive=archive, image=image, root=image.rootfs / "/", evil=image.rootfs / "evil", other={"engine": 1}
        )
        imagepeel.load_ipython_extension(shell)

        def completed(line: str) -> list[str]:
            with provisionalcompleter():
                found = list(shell.Completer.completions(line, len(line)))
            return [line[: one.start] + one.text for one in found]

        yield completed


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('image.process(engine="pod', 'image.process(engine="podman'),
        ("image.process(engine = 'docker@2", "image.process(engine = 'docker@29.7"),
        ('image.process(engine="docker", runtime="cr', 'image.process(engine="docker", runtime="crun'),
        ('image.du(view="seq', 'image.du(view="sequential'),
        ('image.view("run', 'image.view("runtime'),
        ('archive["shop:1', 'archive["shop:1.4'),
        ('archive.image("shop:l', 'archive.image("shop:latest'),
        ('image.rootfs / "et', 'image.rootfs / "etc/'),
        ('image.rootfs / "etc/pas', 'image.rootfs / "etc/passwd'),
        ('(root / "/etc/pas', '(root / "/etc/passwd'),
        ('image.layers[0] / "etc/pap', 'image.layers[0] / "etc/papersize'),
        ('root["et', 'root["etc'),
        ('image.trace("/etc/pas', 'image.trace("/etc/passwd'),
    ],
)
def test_tab_completes(tab: Tab, line: str, wanted: str) -> None:
    found = tab(line)
    assert wanted in found, found
    assert all(one.startswith(line) for one in found)


def test_what_tab_gives_is_what_the_call_takes(tab: Tab) -> None:
    engines = tab('image.process(engine="')
    assert len(engines) > 20
    hello = forge.to_bytes([forge.build("hello")], "docker-archive")
    with imagepeel.open(io.BytesIO(hello)) as archive:
        image = archive.image()
        for line in engines:
            assert image.process(engine=line.partition('"')[2]).verdict.kind == "RUNS"


def test_a_hostile_name_never_ends_the_string(tab: Tab) -> None:
    assert tab('image.rootfs / "evil/') == ['image.rootfs / "evil/plain']
    keys = [line for line in tab('evil["') if not line.endswith('"%')]
    assert len(keys) >= len(EVIL)
    for line in keys:
        asked = ast.parse(line if line.endswith("]") else line + '"]', mode="eval").body
        assert isinstance(asked, ast.Subscript) and isinstance(asked.slice, ast.Constant), line


@pytest.mark.parametrize(
    "line", ["other / 'e", "nothing.here / 'e", "image.rootfs.nothing / 'e", "image.layers[7] / 'e", "1 / 'e"]
)
def test_what_is_no_value_of_ours_is_left_alone(tab: Tab, line: str) -> None:
    assert all(not one.startswith(line + "tc") for one in tab(line))
